import type { SourceFile } from '../finding.ts';
import { type Break, PROBE_MARK, type Probe, type ProbeVerdict } from './probe.ts';

/** Where digits, separators and the sign change their number. */
export const BOUNDARY_INTEGERS = [
  0, 7, -7, 10, 999, 1000, -1000, 7_000_000, -7_000_000, 2_147_483_647, -2_147_483_647, -2_147_483_648,
] as const;

interface Shape {
  readonly name: string;
  readonly line: number;
  /** Returns text, writes it into a buffer the caller passes, or neither (it prints). */
  readonly manner: 'returns' | 'fills' | 'prints';
  readonly bufferFirst: boolean;
}

const INTEGER = String.raw`(?:const\s+)?(?:(?:un)?signed\s+)?(?:long\s+long|long|short|int|int32_t|int64_t|unsigned)(?:\s+int)?`;

const FUNCTION = /\b(\w+)\s*\(([^()]*)\)\s*\{/g;

/**
 * The function that turns an integer into text: by its parameters, the best by its name. Found by text and not by a
 * grammar, because this runs in the process of the whole program, where grammars are somebody else's to register.
 */
export function integerShape(file: SourceFile): Shape | null {
  if (file.language !== 'c') return null;
  const integer = new RegExp(`^${INTEGER}\\s+\\w+$`);
  const buffer = /^char ?(\* ?\w+|\w+ ?\[ ?\d* ?\])$/;
  const shapes = [...file.text.matchAll(FUNCTION)].flatMap((match): Shape[] => {
    const [, name, list] = match as unknown as [string, string, string];
    if (/^(main|if|for|while|switch|return|else)$/.test(name)) return [];
    const type = file.text.slice(file.text.lastIndexOf('\n', match.index) + 1, match.index);
    const text = type.includes('*') && /\bchar\b/.test(type);
    const parameters = list.split(',').map((one) => one.trim().replace(/\s+/g, ' '));
    const line = file.text.slice(0, match.index).split('\n').length;
    const one = parameters.length === 1 && integer.test(parameters[0]!);
    if (one) return [{ name, line, manner: text ? 'returns' : 'prints', bufferFirst: false }];
    if (parameters.length !== 2) return [];
    if (integer.test(parameters[0]!) && buffer.test(parameters[1]!))
      return [{ name, line, manner: 'fills', bufferFirst: false }];
    if (buffer.test(parameters[0]!) && integer.test(parameters[1]!))
      return [{ name, line, manner: 'fills', bufferFirst: true }];
    return [];
  });
  const score = ({ name, manner }: Shape): number =>
    (/str|text|convert|format|comma|num|int|to/i.test(name) ? 2 : 0) +
    (manner === 'prints' ? 0 : 3) -
    (/count|length|len|digits|pow|power|abs|signum|reverse/i.test(name) ? 4 : 0);
  return shapes.sort((a, b) => score(b) - score(a))[0] ?? null;
}

/**
 * Where the address sanitizer cannot start (it reserves more address space than a sandbox allows): every allocation ends at
 * a page nobody may touch, so that one byte too many is a fault at a known address.
 */
const GUARD = `#ifdef LATHE_GUARD
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
static char *lathe_ends[4096]; static int lathe_count;
static void *lathe_malloc(size_t size) {
  size_t body = (size + 4095) / 4096 * 4096;
  char *start = mmap(0, body + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return 0;
  mprotect(start + body, 4096, PROT_NONE);
  memset(start, 0xAA, body);
  if (lathe_count < 4096) lathe_ends[lathe_count++] = start + body;
  return start + body - size;
}
static void *lathe_calloc(size_t count, size_t size) { void *made = lathe_malloc(count * size); return made ? memset(made, 0, count * size) : 0; }
static void *lathe_realloc(void *old, size_t size) {
  char *made = lathe_malloc(size);
  size_t had = 0;
  for (int at = 0; old && at < lathe_count; at++) if ((char *) old < lathe_ends[at] && (char *) old + 65536 > lathe_ends[at]) { had = lathe_ends[at] - (char *) old; break; }
  return made && old ? memcpy(made, old, had < size ? had : size) : made;
}
static char *lathe_strdup(const char *text) { char *made = lathe_malloc(strlen(text) + 1); return made ? strcpy(made, text) : 0; }
static void lathe_free(void *old) { (void) old; }
static void lathe_fault(int number, siginfo_t *about, void *context) {
  (void) number; (void) context;
  const char *kind = "lathe-memory: SEGV\\n";
  for (int at = 0; at < lathe_count; at++) if ((char *) about->si_addr >= lathe_ends[at] && (char *) about->si_addr < lathe_ends[at] + 4096) kind = "lathe-memory: heap-buffer-overflow\\n";
  if (write(2, kind, strlen(kind)) < 0) {}
  _Exit(139);
}
#define LATHE_START { struct sigaction act = { .sa_sigaction = lathe_fault, .sa_flags = SA_SIGINFO }; sigaction(SIGSEGV, &act, 0); sigaction(SIGBUS, &act, 0); }
#define malloc lathe_malloc
#define calloc lathe_calloc
#define realloc lathe_realloc
#undef strdup
#define strdup lathe_strdup
#define free lathe_free
#else
#define LATHE_START
#endif`;

function wrapper(shape: Shape): string {
  const call =
    shape.manner === 'returns'
      ? `const char *lathe_text = (const char *) ${shape.name}(lathe_number); if (lathe_text) lathe_read(lathe_text);`
      : shape.manner === 'fills'
        ? `char *lathe_buffer = calloc(64, 1); ${shape.name}(${shape.bufferFirst ? 'lathe_buffer, lathe_number' : 'lathe_number, lathe_buffer'}); lathe_read(lathe_buffer);`
        : `${shape.name}(lathe_number);`;
  return `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
${GUARD}
#define main lathe_candidate_main
#include "target.c"
#undef main
/* Reads every byte up to the zero, so that memory that is not the function's own is noticed. */
static volatile unsigned lathe_sum;
static void lathe_read(const char *text) { for (int at = 0; at < 200 && text[at]; at++) lathe_sum += (unsigned char) text[at]; }
int main(int count, char **values) {
  int lathe_number = count > 1 ? (int) atoll(values[1]) : 0;
  LATHE_START
  ${call}
  fprintf(stderr, "lathe-finished\\n");
  _Exit(0);
}
`;
}

const RUN = `
cd "$(dirname "$0")" || exit 1
if ! command -v gcc >/dev/null; then echo '${PROBE_MARK}{"unusable":"gcc is not installed where checks run"}'; exit; fi
if ! gcc -w -std=gnu11 -g -O1 -fno-inline -fsanitize=address,undefined -o probe wrapper.c -lm 2>errors; then
  echo '${PROBE_MARK}{"unusable":"it does not compile"}'; exit
fi
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1:allocator_may_return_null=1:abort_on_error=0
if ! ./probe 5 </dev/null >first 2>&1 && grep -q 'ReserveShadowMemoryRange\\|failed to mmap\\|Shadow memory' first; then
  if ! gcc -w -std=gnu11 -g -O1 -fno-inline -fstack-protector-all -D_FORTIFY_SOURCE=2 -fsanitize=undefined -DLATHE_GUARD -o probe wrapper.c -lm 2>errors; then
    echo '${PROBE_MARK}{"unusable":"it does not compile with guarded memory"}'; exit
  fi
fi
for number in ${BOUNDARY_INTEGERS.join(' ')}; do
  timeout 5 ./probe "$number" </dev/null >out 2>err; code=$?
  kind=$(grep -o '\\(AddressSanitizer\\|lathe-memory\\): [a-zA-Z-]*' err | head -n 1 | cut -d' ' -f2)
  grep -q 'stack smashing detected' err && kind=stack-buffer-overflow
  grep -q 'buffer overflow detected' err && kind=buffer-overflow
  grep -q 'runtime error: index .* out of bounds' err && kind=index-out-of-bounds
  overflow=$(grep -c 'signed integer overflow\\|negation of' err)
  finished=$(grep -c '^lathe-finished' err)
  echo "LATHE-NUMBER $number $code \${kind:-none} $overflow $finished"
done
echo '${PROBE_MARK}{"finished":true}'
`;

function judge(output: string, shape: Shape | null): ProbeVerdict {
  const runs = [...output.matchAll(/^LATHE-NUMBER (-?\d+) (\d+) (\S+) (\d+) (\d+)$/gm)].map((match) => ({
    number: match[1]!,
    code: Number(match[2]),
    kind: match[3]!,
    overflow: Number(match[4]) > 0,
    finished: Number(match[5]) > 0,
  }));
  if (!shape || runs.length === 0) {
    const why = /"unusable":"([^"]+)"/.exec(output)?.[1];
    return { breaks: [], unusable: why ?? 'the probe gave no answer' };
  }
  const breaks: Break[] = [];
  const add = (rule: string, cwe: string, severity: Break['severity'], number: string, effect: string): void => {
    breaks.push({
      rule,
      cwe,
      severity,
      line: shape.line,
      message: `${shape.name}(${number}) ${effect}`,
      help: 'Size the memory for the longest value, "-2147483648" with its separators, and return memory that outlives the call.',
    });
  };
  const memory = runs.find(
    (run) =>
      /overflow|underflow|use-after|out-of|bad-free|double-free|negative-size/.test(run.kind) &&
      run.kind !== 'stack-overflow',
  );
  if (memory)
    add(
      'lathe/probe-memory-error',
      'CWE-787',
      'high',
      memory.number,
      `reads or writes memory that is not its own (${memory.kind})`,
    );
  const crash = runs.find(
    (run) => !memory && (run.kind === 'SEGV' || run.code >= 128 || run.kind === 'stack-overflow'),
  );
  if (crash) {
    const always = runs.every((run) => run.kind === 'SEGV' || run.code >= 128);
    add(
      'lathe/probe-crash',
      always ? 'CWE-562' : 'CWE-476',
      always ? 'high' : 'medium',
      crash.number,
      always ? 'crashes, as with every other number: what it returns cannot be read' : 'crashes',
    );
  }
  const endless = runs.find((run) => run.code === 124);
  if (endless) add('lathe/probe-endless', 'CWE-835', 'medium', endless.number, 'does not return');
  const overflow = runs.find((run) => run.overflow);
  if (overflow) add('lathe/probe-integer-overflow', 'CWE-190', 'medium', overflow.number, 'overflows a signed integer');
  return { breaks, unusable: null };
}

/** A C function that turns an integer into text, under the address and undefined-behaviour sanitizers. */
export const integerProbe: Probe = {
  name: 'integer',
  looksFor: 'memory errors at boundary integers, by running the code',
  applies: (file) => integerShape(file) !== null,
  files: (file) => {
    const shape = integerShape(file);
    return new Map(
      shape
        ? [
            ['wrapper.c', wrapper(shape)],
            ['run.sh', RUN],
            ['shape.json', JSON.stringify(shape)],
          ]
        : [],
    );
  },
  command: (folder) => `cat ${folder}/shape.json; echo; sh ${folder}/run.sh`,
  judge(output) {
    const head = output.split('\n').find((line) => line.startsWith('{"name"'));
    let shape: Shape | null = null;
    try {
      shape = head ? (JSON.parse(head) as Shape) : null;
    } catch {
      // The candidate can print what it likes; a spoiled line means no verdict.
    }
    return judge(output, shape);
  },
};
