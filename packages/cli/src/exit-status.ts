/** Exit statuses of the contract. Nothing else in Lathe knows a number. */
export const EXIT = {
  done: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  cancelled: 4,
  nonePassed: 10,
  budget: 11,
  findings: 12,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];
