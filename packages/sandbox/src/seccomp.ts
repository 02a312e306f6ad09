/**
 * A seccomp filter (seccomp(2)) as classic BPF, for bwrap's `--seccomp`. It denies what namespaces do not cover: the kernel's
 * keyrings, which belong to the user and not to a namespace; memory that no process's resident size shows; and
 * interfaces with a long record of holes that no check needs.
 */
interface Architecture {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  readonly keyrings: readonly number[];
  readonly memfds: readonly number[];
  readonly shmget: number;
  readonly risky: readonly number[];
}

/** Numbers from the kernel's syscall tables. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x64: {
    audit: 0xc000_003e,
    keyrings: [248, 249, 250], // add_key, request_key, keyctl
    memfds: [319, 447], // memfd_create, memfd_secret
    shmget: 29,
    risky: [321, 298, 323, 425, 426, 427, 304], // bpf, perf_event_open, userfaultfd, io_uring_*, open_by_handle_at
  },
  arm64: {
    audit: 0xc000_00b7,
    keyrings: [217, 218, 219],
    memfds: [279, 447],
    shmget: 194,
    risky: [280, 241, 282, 425, 426, 427, 265],
  },
};

/** System V segments up to this size stay allowed: databases use a small one as a lock. */
const SHMGET_MAX_BYTES = 64 * 1024;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const errno = (number: number): number => 0x0005_0000 | number;
const EPERM = 1;
const ENOSYS = 38;

const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const RETURN = 0x06;
/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const ARGUMENT_1_LOW = 24;
const ARGUMENT_1_HIGH = 28;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** The compiled filter, or null on a processor whose numbers are not in the table. */
export function seccompFilter(processor: string = process.arch): Buffer | null {
  const architecture = ARCHITECTURES[processor];
  if (architecture === undefined) return null;
  const deny = (numbers: readonly number[], error: number): Instruction[] =>
    numbers.flatMap((number): Instruction[] => [
      [JUMP_EQUAL, 0, 1, number],
      [RETURN, 0, 0, errno(error)],
    ]);
  return encode([
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, architecture.audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER],
    // x32 calls carry bit 30 and would slip past a list of plain numbers.
    [JUMP_GREATER, 0, 1, 0x3fff_ffff],
    [RETURN, 0, 0, errno(ENOSYS)],
    ...deny(architecture.keyrings, EPERM),
    ...deny(architecture.memfds, ENOSYS),
    ...deny(architecture.risky, ENOSYS),
    [JUMP_EQUAL, 0, 5, architecture.shmget],
    [LOAD_WORD, 0, 0, ARGUMENT_1_HIGH],
    [JUMP_EQUAL, 0, 2, 0],
    [LOAD_WORD, 0, 0, ARGUMENT_1_LOW],
    [JUMP_GREATER, 0, 1, SHMGET_MAX_BYTES],
    [RETURN, 0, 0, errno(ENOSYS)],
    [RETURN, 0, 0, ALLOW],
  ]);
}

/** struct sock_filter: 16-bit code, two 8-bit jump offsets, 32-bit operand, in the machine's order (both are little-endian). */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(ifTrue, i * 8 + 2);
    bytes.writeUInt8(ifFalse, i * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, i * 8 + 4);
  }
  return bytes;
}
