/** Names that look-alikes imitate: much-installed packages of both registries. Not a list of what is safe. */
export const POPULAR_NPM: readonly string[] =
  `react react-dom preact vue angular svelte next nuxt express koa fastify hono lodash underscore axios request node-fetch got
  chalk commander yargs debug moment dayjs date-fns async bluebird rxjs uuid nanoid dotenv typescript webpack rollup vite
  esbuild babel-core eslint prettier jest mocha chai vitest sinon jquery bootstrap tailwindcss postcss autoprefixer sass
  mongoose mongodb mysql mysql2 postgres sequelize knex prisma redis ioredis sqlite3 better-sqlite3 bcrypt bcryptjs
  jsonwebtoken passport body-parser cookie-parser cors helmet morgan multer socket.io graphql apollo-server nodemailer
  cheerio puppeteer playwright electron cross-env cross-spawn rimraf mkdirp glob minimatch semver colors inquirer ora
  winston pino shelljs execa fs-extra archiver unzipper tar js-yaml yaml ajv zod joi validator classnames styled-components
  redux zustand immer three d3 chart.js leaflet ethers web3 stripe firebase openai langchain handlebars ejs pug marked
  markdown-it highlight.js prismjs discord.js event-stream noblox.js crypto-js node-forge`.split(/\s+/);

export const POPULAR_PYPI: readonly string[] =
  `requests urllib3 numpy pandas scipy matplotlib seaborn scikit-learn tensorflow torch keras django flask fastapi
  starlette uvicorn gunicorn jinja2 werkzeug click typer rich pydantic sqlalchemy alembic psycopg2 pymongo redis celery
  boto3 botocore awscli cryptography pycryptodome paramiko ecdsa pyjwt bcrypt passlib pillow opencv-python beautifulsoup4
  lxml selenium scrapy httpx aiohttp websockets pytest tox nose mock coverage black flake8 pylint mypy isort ruff setuptools
  wheel virtualenv pipenv poetry pyyaml toml python-dateutil pytz simplejson attrs six packaging certifi idna chardet
  charset-normalizer colorama tqdm tabulate termcolor openai langchain transformers datasets huggingface-hub nltk spacy
  gensim networkx sympy plotly bokeh dash streamlit jupyter notebook ipython markdown docutils sphinx twisted tornado
  gevent greenlet psutil pexpect discord.py python-telegram-bot telethon web3 pyinstaller pywin32`.split(/\s+/);

/** Import names of Python packages that are distributed under another name. */
export const PYPI_NAME_OF: Readonly<Record<string, string>> = {
  yaml: 'pyyaml',
  PIL: 'pillow',
  cv2: 'opencv-python',
  bs4: 'beautifulsoup4',
  sklearn: 'scikit-learn',
  Crypto: 'pycryptodome',
  Cryptodome: 'pycryptodomex',
  jwt: 'pyjwt',
  dateutil: 'python-dateutil',
  dotenv: 'python-dotenv',
  psycopg2: 'psycopg2-binary',
  MySQLdb: 'mysqlclient',
  serial: 'pyserial',
  usb: 'pyusb',
  nacl: 'pynacl',
  OpenSSL: 'pyopenssl',
  google: 'google-api-core',
  attr: 'attrs',
  pkg_resources: 'setuptools',
  skimage: 'scikit-image',
  magic: 'python-magic',
  git: 'gitpython',
  docx: 'python-docx',
  telegram: 'python-telegram-bot',
  discord: 'discord.py',
  jose: 'python-jose',
  slugify: 'python-slugify',
  markdown: 'markdown',
  wx: 'wxpython',
  win32api: 'pywin32',
  zmq: 'pyzmq',
  lxml: 'lxml',
};
