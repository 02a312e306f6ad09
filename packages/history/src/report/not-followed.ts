import type { AuditDocument } from '../document.ts';

/** What of a history could not be followed, in words: the counts that are not zero, and the notes of the audit. */
export function notFollowedInWords({ notFollowed, rewrites }: AuditDocument): string[] {
  const { untracedLines, unmatchedCommits, unreadCommits } = notFollowed;
  const { rebased, squashed, tracedLines } = rewrites;
  const counted: [number, string, string][] = [
    [notFollowed.binaryFiles, 'change of a binary file', 'changes of binary files'],
    [notFollowed.misfitFiles, 'file whose lines were lost sight of', 'files whose lines were lost sight of'],
    [
      notFollowed.lostInMerges,
      'line that vanished in a merge, or in a file that turned binary, without a commit that took it out',
      'lines that vanished in a merge, or in a file that turned binary, without a commit that took them out',
    ],
    [
      notFollowed.repairedDates,
      'commit with an impossible date: it counts as old as its parent, or as of 1990',
      'commits with an impossible date: they count as old as their parents, or as of 1990',
    ],
    [
      notFollowed.filesWithoutContent,
      'file of which the repository lacks some content: left out',
      'files of which the repository lacks some content: left out',
    ],
    [
      notFollowed.unreadTraces,
      'line of Agent Trace files of which nothing could be made',
      'lines of Agent Trace files of which nothing could be made',
    ],
    [
      unmatchedCommits,
      'commit outside the history was found nowhere in it',
      'commits outside the history were found nowhere in it',
    ],
    [unreadCommits, 'commit outside the history was not looked at', 'commits outside the history were not looked at'],
  ];
  const recognised =
    rebased + squashed === 0
      ? []
      : [
          `${count(rebased)} rebased and ${count(squashed)} squashed commits were recognised by originals outside the history: ${count(tracedLines)} of their lines are as old as there, ${count(untracedLines)} were found in none`,
        ];
  return [
    ...counted
      .filter(([number]) => number > 0)
      .map(([number, one, many]) => `${count(number)} ${number === 1 ? one : many}`),
    ...recognised,
    ...notFollowed.notes,
  ];
}

function count(value: number): string {
  return value.toLocaleString('en-GB');
}
