import { type Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { VERSION } from './version.ts';

/**
 * The verbs and their options. Nothing heavy may be imported by this file: each action loads its command when it runs,
 * so that `lathe --help` and `lathe list` answer at once.
 */
export async function runCommandLine(args: readonly string[]): Promise<ExitStatus> {
  const terminal = openTerminal();
  let status: ExitStatus = EXIT.done;
  const program = describeCommands(terminal, (ended) => {
    status = ended;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    // Commander has said what was wrong already; asking for help or the version is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const { reportFailure } = await import('./failure.ts');
    return reportFailure(error, terminal.err);
  }
}

function describeCommands(terminal: Terminal, end: (status: ExitStatus) => void): Command {
  const program = new Command('lathe')
    .description('Makes ten candidates for a task in a git repository, checks each in isolation, and keeps the best.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out.write(text),
      writeErr: (text) => terminal.err.write(text),
      getOutHasColors: () => terminal.out.colors.isColorSupported,
      getErrHasColors: () => terminal.err.colors.isColorSupported,
      getOutHelpWidth: () => Math.min(terminal.out.columns, 100),
      getErrHelpWidth: () => Math.min(terminal.err.columns, 100),
      outputError: (text, write) => write(text.replace(/^error:/, terminal.err.colors.red('error:'))),
    })
    .showHelpAfterError(`  ${terminal.err.colors.cyan('→')} add --help to see what is expected`)
    .addHelpCommand(new Command('help').argument('[command]').summary('explain a command').helpGroup('Look after:'))
    .configureHelp({
      subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(argumentTerm)].join(' '),
      styleTitle: (title) => terminal.out.colors.bold(title),
    })
    .addHelpText(
      'after',
      `
A first run, on a function whose tests are written and whose body is not:
  $ lathe make --at src/slug.js:slugify

RUN is a run's id, the beginning of one, or "last".
Exit status: 0 done, a candidate passed; 10 none passed; 11 budget reached
before one passed; 12 scan --fail-on; 2 usage; 3 not found; 4 cancelled;
1 other errors.`,
    );

  program.commandsGroup('Make and choose:');
  program
    .command('make')
    .summary('make candidates for a task, check and rank them')
    .description(
      'Make N candidates for one task, run the checks on each in isolation, and rank them with the evidence. ' +
        'The task is a function to fill (--at), an instruction, or a file that holds both (--task).',
    )
    .argument('[instruction]', 'what to do, in words')
    .option('--task <file>', 'Markdown file: the instruction, and options by name in its YAML front matter')
    .option('--at <file:name>', 'the function whose body is to be filled, e.g. src/slug.js:slugify')
    .addOption(new Option('-n <count>', 'how many candidates (default: 10)').argParser(wholeNumber(1, 1000)))
    .option(
      '--model <id...>',
      'who makes them, in turn: local:NAME, openai:NAME, anthropic:NAME, google:NAME, agent:COMMAND',
    )
    .option(
      '--check <cmd...>',
      'command every candidate must pass (default: the tests package.json or pyproject.toml name)',
    )
    .option('--allow <glob...>', 'what a candidate may change, protected files included')
    .option('--file <path...>', 'file to show to the model as context')
    .addOption(
      new Option('--temperature <t>', "how freely to sample (default: the model's own)").argParser(decimal(0, 5)),
    )
    .addOption(
      new Option(
        '--distinct [d]',
        'draw candidates of local models so that they differ: 0 independent (default) to 1 without replacement (where d is left out)',
      ).argParser(decimal(0, 1)),
    )
    .option('--no-speculation', 'a local model with at most four candidates does not guess ahead')
    .option('--no-grammar', 'a local model may answer an instruction in any form, also one that is no edit')
    .addOption(deviceOption('where local models compute'))
    .option(
      '--house <model>',
      "read candidates with a model of this repository's own code (default: git's setting lathe.house)",
    )
    .addOption(
      new Option('--seed <s>', 'the same seed makes the same candidates (default: a new one)').argParser(
        wholeNumber(0, 2 ** 31 - 1),
      ),
    )
    .addOption(new Option('--max-cost <usd>', 'spend at most this on hosted models').argParser(decimal(0, 1e6)))
    .addOption(new Option('--max-seconds <s>', 'stop after this long').argParser(decimal(0.001, 1e7)))
    .addOption(
      new Option('--concurrency <c>', 'candidates checked at once (default: the number of cores)').argParser(
        wholeNumber(1, 1000),
      ),
    )
    .addOption(new Option('--keep <which>', 'apply the best to the checkout when it passed').choices(['best']))
    .option('--unsafe-no-sandbox', 'run candidates without isolation: they can read and change everything you can')
    .option('--json', 'print the run as one JSON document; everything else goes to stderr')
    .action(async (instruction: string | undefined, options) => {
      const { make } = await import('./make/make.ts');
      end(await make(instruction, options, terminal));
    });
  program
    .command('list')
    .summary("this repository's runs, newest first")
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { list } = await import('./commands/list.ts');
      end(await list(options, terminal));
    });
  program
    .command('show')
    .summary('a run with its ranking, or one candidate with its evidence')
    .argument('<run>', RUN)
    .argument('[id]', 'candidate, e.g. c3')
    .option('--diff', "the candidate's change (the best one's where no candidate is named)")
    .option('--sarif <file>', 'write what the candidates add in findings as SARIF 2.1.0')
    .option('--json', 'print JSON')
    .action(async (run: string, id: string | undefined, options) => {
      const { show } = await import('./commands/show.ts');
      end(await show(run, id, options, terminal));
    });
  program
    .command('compare')
    .summary('two candidates side by side, and their difference')
    .argument('<run>', RUN)
    .argument('<a>', 'candidate, e.g. c3')
    .argument('<b>', 'candidate to lay beside it')
    .option('--json', 'print JSON')
    .action(async (run: string, a: string, b: string, options) => {
      const { compare } = await import('./commands/compare.ts');
      end(await compare(run, a, b, options, terminal));
    });
  program
    .command('keep')
    .summary('apply a candidate to the checkout; never overwrites')
    .argument('<run>', RUN)
    .argument('<id>', 'candidate, e.g. c3, or "best"')
    .option('--commit', 'commit it as well')
    .option('--json', 'print JSON')
    .action(async (run: string, id: string, options) => {
      const { keep } = await import('./commands/keep.ts');
      end(await keep(run, id, options, terminal));
    });
  program
    .command('resume')
    .summary('go on with a run that was cut off, from its last event')
    .argument('<run>', RUN)
    .option('--json', 'print the run as one JSON document')
    .action(async (run: string, options) => {
      const { resume } = await import('./make/resume.ts');
      end(await resume(run, options, terminal));
    });

  program.commandsGroup('Look into code:');
  program
    .command('scan')
    .summary('weaknesses, secrets and dirt in files and folders')
    .argument('<path...>', 'file or folder')
    .option('--base <rev>', 'only what the checkout has beyond this commit')
    .option('--probe', 'attack functions of known shape as well, in a sandbox')
    .addOption(
      new Option('--fail-on <severity>', 'end with 12 where a finding is this bad or worse').choices(SEVERITIES),
    )
    .option('--sarif <file>', 'write SARIF 2.1.0 as well')
    .option('--json', 'print JSON')
    .action(async (paths: string[], options) => {
      const { scan } = await import('./commands/scan.ts');
      end(await scan(paths, options, terminal));
    });
  program
    .command('audit')
    .summary("what happened to a repository's lines: churn, survival")
    .argument('[path]', 'a repository (default: this one)')
    .option('--since <date>', 'a date, or an age: 90d, 12w, 6m, 2y')
    .addOption(
      new Option('--window <days>', 'a line rewritten within so many days is churn (default: 14)').argParser(
        wholeNumber(1, 3650),
      ),
    )
    .option('--first-parent', 'leave out what happened inside merged branches: faster')
    .option('--originals <glob...>', "refs that hold what was squashed, besides branches and tags: 'refs/pull/*'")
    .option('--findings', 'look for weaknesses in trees sampled through the history: slower')
    .option('--html <file>', 'write a report as one HTML file as well')
    .option('--sarif <file>', 'write SARIF 2.1.0 as well')
    .option('--json', 'print JSON')
    .action(async (path: string | undefined, options) => {
      const { audit } = await import('./commands/audit.ts');
      end(await audit(path, options, terminal));
    });

  const ledger = program
    .command('ledger')
    .summary('what the runs made, what became of what was kept, and what told beforehand')
    .option('--gates <n>', 'also let the gates look at so many past commits', wholeNumber(1, 100_000))
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { ledger } = await import('./commands/ledger.ts');
      end(await ledger(options, terminal));
    });
  ledger
    .command('export')
    .summary('print every event of every run as JSON Lines')
    .action(async () => {
      const { exportLedger } = await import('./commands/ledger-transfer.ts');
      end(await exportLedger(terminal));
    });
  ledger
    .command('import')
    .summary('take an export in, all of it or nothing; again it changes nothing')
    .argument('<file>', 'file of an export, or - for standard input')
    .option('--json', 'print JSON')
    .action(async (file: string, _options, command: Command) => {
      const { importLedger } = await import('./commands/ledger-transfer.ts');
      end(await importLedger(file, command.optsWithGlobals(), terminal));
    });

  program.commandsGroup("A model of one's own code:");
  program
    .command('train')
    .summary('train a transformer on your own code, from scratch or as adapters on open weights')
    .description(
      'Train a transformer on the files of repositories and folders: from scratch, or with --from and --lora as ' +
        'adapters on open weights. Generated, vendored, duplicate and secret-bearing files are left out; the latest ' +
        'tenth is kept for validation. Stopped at any moment, the same command goes on from the last save.',
    )
    .argument('<path...>', 'repositories, folders or files to learn from')
    .requiredOption('--out <dir>', 'folder for checkpoints, tokenizer, model and loss curves')
    .option('--from <model>', 'the base to adapt: a name of the catalogue or a .gguf file')
    .option('--lora', 'train adapters on the base (needs --from)')
    .addOption(
      new Option('--rank <count>', 'with --lora: columns of an adapter (default: 8)').argParser(wholeNumber(1, 1024)),
    )
    .addOption(
      new Option('--alpha <number>', 'with --lora: an adapter counts alpha / rank (default: twice the rank)').argParser(
        decimal(1e-6, 65_536),
      ),
    )
    .addOption(
      new Option('--modules <names...>', 'with --lora: matrices that get an adapter (default: all)').choices([
        'q_proj',
        'k_proj',
        'v_proj',
        'o_proj',
        'gate_proj',
        'up_proj',
        'down_proj',
      ]),
    )
    .addOption(
      new Option('--store <type>', 'with --lora: how merged matrices are stored (default: f16)').choices([
        'f32',
        'f16',
        'q8_0',
      ]),
    )
    .addOption(
      new Option(
        '--hold <how>',
        "with --lora: how the base lies in memory, as f32 or in its file's blocks: less memory, more time (default: f32 where it fits)",
      ).choices(['f32', 'blocks']),
    )
    .addOption(new Option('--preset <name>', 'the block (default: llama)').choices(['llama', 'vaswani-2017']))
    .addOption(new Option('--layers <count>', 'blocks (default: 4)').argParser(wholeNumber(1, 256)))
    .addOption(new Option('--heads <count>', 'attention heads (default: 4)').argParser(wholeNumber(1, 256)))
    .addOption(new Option('--width <size>', 'embedding size (default: 128)').argParser(wholeNumber(2, 16_384)))
    .addOption(
      new Option('--block <tokens>', 'tokens seen at once (default: 128; with --lora 256)').argParser(
        wholeNumber(2, 8192),
      ),
    )
    .addOption(
      new Option('--vocab <tokens>', 'size of the vocabulary (default: 2048)').argParser(wholeNumber(257, 200_000)),
    )
    .addOption(
      new Option('--batch <count>', 'sequences a step (default: 16; with --lora 2)').argParser(wholeNumber(1, 4096)),
    )
    .addOption(
      new Option('--iterations <count>', 'steps (default: 2000; with --lora 200)').argParser(
        wholeNumber(1, 10_000_000),
      ),
    )
    .addOption(new Option('--rate <lr>', 'highest learning rate (default: 0.001)').argParser(decimal(1e-9, 10)))
    .addOption(new Option('--dropout <share>', 'share of activations dropped').argParser(decimal(0, 0.99)).default(0))
    .addOption(
      new Option('--patience <count>', 'stop after so many validations without gain; 0: never')
        .argParser(wholeNumber(0, 1000))
        .default(0),
    )
    .addOption(
      new Option('--seed <s>', 'the same seed gives the same model').argParser(wholeNumber(0, 2 ** 31 - 1)).default(1),
    )
    .addOption(new Option('--threads <count>', 'threads (default: the number of cores)').argParser(wholeNumber(1, 256)))
    .addOption(
      new Option('--accumulate <count>', 'batches whose gradients are added up to one step (default: 1)').argParser(
        wholeNumber(1, 4096),
      ),
    )
    .option('--recompute', 'compute each block twice instead of keeping what it computed: less memory, more time')
    .option('--spin', 'let idle threads wait actively: faster where nothing else runs, ruinous where something does')
    .addOption(deviceOption('where it is trained'))
    .option('--language <name...>', 'only these languages, e.g. TypeScript (default: all code)')
    .option('--exclude-licence <spdx...>', 'leave out files under one of these, e.g. GPL-3.0 or GPL-*')
    .option('--without-findings', 'leave out files with open security findings of medium severity or worse')
    .option('--json', 'print JSON')
    .action(async (paths: string[], options) => {
      const { train } = await import('./commands/train.ts');
      end(await train(paths, options, terminal));
    });
  program
    .command('score')
    .summary('how much files read like what a model has learned')
    .argument('<file...>', 'text files, e.g. src/*.js')
    .requiredOption('--model <dir>', 'folder of `lathe train`, a .gguf file, or a catalogue name')
    .addOption(deviceOption('where the model computes'))
    .option('--html <file>', 'write the files with their heat as one HTML page as well')
    .option('--json', 'print JSON')
    .action(async (files: string[], options) => {
      const { score } = await import('./commands/score.ts');
      end(await score(files, options, terminal));
    });

  program.commandsGroup('Look after:');
  program
    .command('clean')
    .summary('remove what is proven safe to remove, list the rest')
    .option('--dry-run', 'only say what would be removed')
    .option('--caches', 'converted models and prompts that were read as well; they are made again')
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { clean } = await import('./commands/clean.ts');
      end(await clean(options, terminal));
    });
  program
    .command('doctor')
    .summary('check what Lathe needs here; say how to mend what is missing')
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { doctor } = await import('./commands/doctor.ts');
      end(await doctor(options, terminal));
    });

  const models = program.command('models').summary('the models that run inside Lathe: list, pull, info');
  models
    .command('list')
    .summary('the catalogue, and what is on this machine')
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { listModels } = await import('./commands/models.ts');
      end(await listModels(options, terminal));
    });
  models
    .command('pull')
    .summary('download a model, verify it, and put it into the cache')
    .argument('<name>', 'catalogue name: lathe models list')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      const { pullModel } = await import('./commands/models.ts');
      end(await pullModel(name, options, terminal));
    });
  models
    .command('info')
    .summary('licence, size, sources and shape of a model')
    .argument('<name>', 'catalogue name, or path of a .gguf file')
    .option('--json', 'print JSON')
    .action(async (name: string, options) => {
      const { modelInfo } = await import('./commands/models.ts');
      end(await modelInfo(name, options, terminal));
    });
  for (const command of [...program.commands, ...ledger.commands, ...models.commands]) {
    if (command.description() === '') command.description(command.summary());
  }
  return program;
}

const RUN = 'id of a run, the beginning of one, or "last"';
const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'];

function deviceOption(what: string): Option {
  return new Option('--device <name>', `${what} (default: cpu)`).choices(['cpu', 'webgpu']);
}

function argumentTerm(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

function decimal(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high)) {
      throw new InvalidArgumentError(`Expected a number from ${low} to ${high}.`);
    }
    return value;
  };
}
