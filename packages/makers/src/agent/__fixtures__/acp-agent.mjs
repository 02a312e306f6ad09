// A scripted agent that speaks the Agent Client Protocol, built on the SDK's agent side. What it does is the first
// line of the prompt that begins with "script: ".
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import * as acp from '@agentclientprotocol/sdk/unstable';

const { client } = acp.methods;

const scripts = {
  /** Reads and writes through the client, runs a command through it, and asks before it does. */
  async polite(ctx, sessionId) {
    const path = `${process.cwd()}/double.js`;
    const { content } = await ctx.request(client.fs.readTextFile, { sessionId, path });
    const { content: first } = await ctx.request(client.fs.readTextFile, { sessionId, path, line: 1, limit: 1 });
    if (!content.startsWith(first) || first.includes('\n')) throw new Error('the first line is not the first line');
    await ctx.notify(client.session.update, {
      sessionId,
      update: { sessionUpdate: 'tool_call', toolCallId: '1', title: 'Write double.js', kind: 'edit', status: 'pending' },
    });
    const { outcome } = await ctx.request(client.session.requestPermission, {
      sessionId,
      toolCall: { toolCallId: '1' },
      options: [
        { optionId: 'never', name: 'Never', kind: 'reject_always' },
        { optionId: 'always', name: 'Always', kind: 'allow_always' },
        { optionId: 'once', name: 'Once', kind: 'allow_once' },
      ],
    });
    if (outcome.optionId !== 'once') throw new Error(`no permission: ${JSON.stringify(outcome)}`);
    const body = content.replace("throw new Error('not written yet')", 'return number * 2');
    await ctx.request(client.fs.writeTextFile, { sessionId, path, content: body });
    const { terminalId } = await ctx.request(client.terminal.create, {
      sessionId,
      command: 'sh',
      args: ['-c', 'printf "%s" "$WORD" > notes.txt; echo done; exit 3'],
      env: [{ name: 'WORD', value: 'grüß' }],
    });
    const { exitCode } = await ctx.request(client.terminal.waitForExit, { sessionId, terminalId });
    const { output } = await ctx.request(client.terminal.output, { sessionId, terminalId });
    await ctx.request(client.terminal.release, { sessionId, terminalId });
    if (exitCode !== 3 || output !== 'done\n') throw new Error(`terminal: ${exitCode} ${output}`);
    await ctx.notify(client.session.update, {
      sessionId,
      update: { sessionUpdate: 'usage_update', used: 10, size: 100, cost: { amount: 0.25, currency: 'USD' } },
    });
    return { stopReason: 'end_turn', usage: { totalTokens: 150, inputTokens: 120, outputTokens: 30 } };
  },

  /** Tries to leave the copy through the client. */
  async sly(ctx, sessionId) {
    const tries = ['/etc/hostname', '../outside.txt', '/etc/hosts'];
    const answers = [];
    for (const path of tries) {
      const write = ctx.request(client.fs.writeTextFile, { sessionId, path, content: 'gone' });
      answers.push(await write.then(() => 'written', () => 'refused'));
      const read = ctx.request(client.fs.readTextFile, { sessionId, path });
      answers.push(await read.then(() => 'read', () => 'refused'));
    }
    writeFileSync('answers.txt', answers.join(' '));
    return { stopReason: 'end_turn' };
  },

  /** Ends with its turn. */
  async hasty() {
    writeFileSync('hasty.txt', 'done');
    setTimeout(() => process.exit(0), 20);
    return { stopReason: 'end_turn' };
  },

  async broken() {
    throw acp.RequestError.internalError({ details: 'the model is down' });
  },

  async idle() {
    return { stopReason: 'end_turn' };
  },

  async refuse() {
    return { stopReason: 'refusal' };
  },

  async crash() {
    process.stderr.write('TypeError: the agent has a bug\n');
    process.exit(7);
  },

  async hang() {
    await new Promise(() => {});
  },

  /** Writes what it sees of the machine. */
  async look() {
    const seen = {
      secret: process.env.LATHE_TEST_SECRET ?? null,
      granted: process.env.LATHE_TEST_GRANTED ?? null,
      settings: existsSync(`${process.env.HOME}/.agent/settings.json`)
        ? readFileSync(`${process.env.HOME}/.agent/settings.json`, 'utf8')
        : null,
    };
    writeFileSync('seen.json', JSON.stringify(seen));
    return { stopReason: 'end_turn' };
  },
};

acp
  .agent({ name: 'scripted' })
  .onRequest(acp.methods.agent.initialize, ({ params }) => {
    const { fs, terminal } = params.clientCapabilities;
    if (!fs.readTextFile || !fs.writeTextFile || !terminal) throw new Error('the client can do too little');
    return { protocolVersion: acp.PROTOCOL_VERSION, agentCapabilities: {} };
  })
  .onRequest(acp.methods.agent.session.new, () => {
    if (process.env.LATHE_TEST_LOGGED_OUT) throw acp.RequestError.authRequired();
    return { sessionId: 's1' };
  })
  .onRequest(acp.methods.agent.session.prompt, async ({ params, client: ctx }) => {
    const name = /^script: (\w+)$/m.exec(params.prompt[0].text)?.[1];
    return scripts[name](ctx, params.sessionId);
  })
  .connect(acp.ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)));
