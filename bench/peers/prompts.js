/**
 * Prompts for the comparison with llama.cpp: source text and prose, 50 to 500 tokens each, continued greedily. Written for
 * this purpose, so that nobody's model has seen them.
 */
export const PROMPTS = [
  `/**
 * Makes a file name from a title: lower case, words joined by hyphens, nothing else.
 * slugify('Ten Ways to Peel an Egg!') === 'ten-ways-to-peel-an-egg'
 */
export function slugify(title) {
  return title
    .normalize('NFKD')
`,
  `def moving_average(values, window):
    """Mean of each run of \`window\` neighbouring values.

    >>> moving_average([1, 2, 3, 4], 2)
    [1.5, 2.5, 3.5]
    """
    if window < 1:
        raise ValueError("window must be at least 1")
    total = sum(values[:window])
    averages = [total / window]
    for i in range(window, len(values)):
`,
  `The harbour froze in the second week of January, and for eleven days no boat left it. On the first morning the children
walked out as far as the lighthouse and came back with a gull that had been caught by one foot in the ice. Their
grandmother warmed it in the kitchen, in the basket where she kept the onions, and by evening it had eaten two herrings
and bitten everyone in the house. When the wind turned and the ice began to`,
  `#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    int key;
    struct node *left;
    struct node *right;
};

/* Returns the smallest key that is not below \`bound\`, or -1 where there is none. */
int ceiling(const struct node *root, int bound)
{
    int best = -1;
    while (root != NULL) {
        if (root->key == bound)
            return bound;
`,
  `Dear Mr. Okafor,

Thank you for your letter of 3 March about the bicycle shed behind the east building. You are right that the roof leaks
over the last six stands, and that the lamp above the gate has not worked since the storm in November. I have asked two
firms for an offer. The first would replace the whole roof for 4,200 pounds; the second believes that a new gutter and
three sheets of corrugated plastic are enough, and asks 780. Before we decide, I would like to know`,
  `import { test, expect } from 'vitest';
import { parseDuration } from './duration.js';

test('reads hours, minutes and seconds', () => {
  expect(parseDuration('1h')).toBe(3600);
  expect(parseDuration('2m30s')).toBe(150);
  expect(parseDuration('1h5m')).toBe(3900);
});

test('refuses what it does not know', () => {
  expect(() => parseDuration('5 parsecs')).toThrow(/expected/);
  expect(() => parseDuration('')).toThrow();
});

test(`,
  `SELECT customers.name, COUNT(orders.id) AS orders, SUM(orders.total_cents) / 100.0 AS spent
FROM customers
LEFT JOIN orders ON orders.customer_id = customers.id AND orders.cancelled_at IS NULL
WHERE customers.created_at >= '2024-01-01'
GROUP BY customers.id, customers.name
HAVING COUNT(orders.id) > 2
ORDER BY`,
  `A queue and a stack hold the same things and differ in the order in which they give them back. Think of a stack as a
pile of plates: the plate put down last is the first to be taken. A queue is the line at a bakery: whoever came first is
served first. A third structure, the priority queue, gives back the most urgent thing whatever the order of arrival. It
is usually kept in a heap, because a heap needs only`,
  `class RateLimiter:
    """Token bucket: \`rate\` requests a second on average, bursts of up to \`burst\`."""

    def __init__(self, rate, burst, clock=time.monotonic):
        self.rate = rate
        self.burst = burst
        self.clock = clock
        self.tokens = burst
        self.updated = clock()

    def allow(self, cost=1):
        now = self.clock()
        self.tokens = min(self.burst, self.tokens + (now - self.updated) * self.rate)
        self.updated = now
        if self.tokens < cost:
            return False
`,
  `# Changelog

## 2.3.0

- \`inspect\` prints the size of every layer, largest first.
- The \`--quiet\` option no longer hides errors.
- Fixed: a path with a space in it was cut at the space when the archive was written on Windows.
- Fixed: dates before 1980 were written as 1980 without a word.

## 2.2.1

- Fixed: an empty archive could not be opened.

## 2.2.0

- `,
  `fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Least common multiple; \`None\` where it does not fit.
fn lcm(a: u64, b: u64) -> Option<u64> {
    if a == 0 || b == 0 {
        return Some(0);
    }
    (a / gcd(a, b)).checked_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers() {
        assert_eq!(gcd(12, 18), 6);
        assert_eq!(lcm(4, 6), Some(12));
`,
  `Bread with a long proof

Mix 500 g of flour, 350 g of water, 10 g of salt and a pinch of yeast in the evening. Stir until no dry flour is left;
there is no need to knead. Cover the bowl and leave it on the counter for the night. In the morning the dough has doubled
and is full of bubbles. Fold it four times, once from each side, and let it rest for half an hour while the oven heats to
240 degrees with an iron pot inside. Then`,
  `{
  "name": "weather-station",
  "version": "0.4.2",
  "description": "Reads a BME280 over I2C and writes temperature, pressure and humidity to a CSV file every minute",
  "type": "module",
  "scripts": {
    "start": "node src/main.js",
    "test": "node --test",
    "lint": "biome check ."
  },
  "dependencies": {
    "i2c-bus": "5.2.3"
  },
  "devDependencies": {`,
  `package cache

import (
	"container/list"
	"sync"
)

// Cache keeps the most recently used entries, at most \`capacity\` of them.
type Cache struct {
	mu       sync.Mutex
	capacity int
	order    *list.List
	entries  map[string]*list.Element
}

type entry struct {
	key   string
	value []byte
}

// Get returns the value and whether it is there, and marks it as used.
func (c *Cache) Get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
`,
  `In 1854 a physician marked every death from cholera in a London parish on a map of its streets. The marks crowded round
one pump. Seventy people who lived beside a brewery near that pump had not fallen ill, and this seemed to speak against
him until he learned that the brewery gave its men free beer and that none of them drank water. He asked the parish to
take the handle off the pump. The epidemic was already fading by then, and the board never quite believed him, but`,
  `export interface Shape {
  readonly kind: 'circle' | 'square' | 'triangle';
}

export interface Circle extends Shape {
  readonly kind: 'circle';
  readonly radius: number;
}

export interface Square extends Shape {
  readonly kind: 'square';
  readonly side: number;
}

export interface Triangle extends Shape {
  readonly kind: 'triangle';
  readonly base: number;
  readonly height: number;
}

/** Area in square units. */
export function area(shape: Circle | Square | Triangle): number {
  switch (shape.kind) {
    case 'circle':
`,
  `Question: A train leaves at 9:40 and arrives at 13:05. How long is the journey?
Answer: From 9:40 to 13:00 is 3 hours 20 minutes, and 5 minutes more make 3 hours 25 minutes.

Question: A tank holds 240 litres. A pump fills 15 litres a minute. How long does it take to fill the tank from empty?
Answer: 240 divided by 15 is 16, so it takes 16 minutes.

Question: A baker sells 36 rolls at 40 cents and 12 loaves at 3 euros. How much is that together?
Answer:`,
  `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Tide table</title>
  <style>
    table { border-collapse: collapse; }
    td, th { padding: 0.25rem 0.75rem; border-bottom: 1px solid #ccc; text-align: right; }
    th:first-child, td:first-child { text-align: left; }
  </style>
</head>
<body>
  <h1>Tide table</h1>
  <table>
    <thead>
      <tr><th>Day</th><th>High water</th><th>Height</th><th>Low water</th><th>Height</th></tr>
    </thead>
    <tbody>
      <tr><td>Monday</td><td>04:12</td><td>5.1 m</td><td>10:31</td><td>0.9 m</td></tr>
`,
  `import csv
import sys
from collections import defaultdict


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as handle:
        yield from csv.DictReader(handle)


def total_by_account(rows):
    """Sum of \`amount\` for each account, in cents, so that no rounding creeps in."""
    totals = defaultdict(int)
    for row in rows:
        euros, _, cents = row["amount"].partition(".")
        sign = -1 if euros.startswith("-") else 1
        totals[row["account"]] += int(euros) * 100 + sign * int((cents + "00")[:2])
    return totals


def main(argv):
    if len(argv) != 2:
        print(f"usage: {argv[0]} FILE", file=sys.stderr)
        return 2
    totals = total_by_account(read_rows(argv[1]))
    for account in sorted(totals):
`,
  `The committee met on Tuesday with seven members present. The minutes of the last meeting were read and accepted. The
treasurer reported a balance of 1,316 crowns, of which 400 are set aside for the roof. Mrs. Lindqvist proposed that the
summer concert be moved from the meadow to the schoolhouse, because last year the rain had ruined two violins. Mr. Berg
was against it: the schoolhouse holds eighty, and two hundred had come to the meadow in spite of the weather. It was
agreed to ask the parish whether the barn could be used, and to decide in May. Under other business, the chairman thanked
those who had painted the fence. He also reminded everyone that`,
  `#!/usr/bin/env bash
set -euo pipefail

# Keeps the newest seven backups and removes the others.
directory=\${1:?usage: prune-backups DIRECTORY}
keep=7

if [[ ! -d $directory ]]; then
  echo "prune-backups: $directory is not a directory" >&2
  exit 2
fi

mapfile -t backups < <(find "$directory" -maxdepth 1 -name 'backup-*.tar.gz' -printf '%T@ %p\\n' | sort -rn | cut -d' ' -f2-)
if (( \${#backups[@]} <= keep )); then
  echo "nothing to do: \${#backups[@]} backups"
  exit 0
fi

for file in "\${backups[@]:keep}"; do
`,
  `/**
 * A ring buffer of numbers. Pushing to a full buffer drops the oldest.
 */
export class RingBuffer {
  #values;
  #start = 0;
  #length = 0;

  constructor(capacity) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(\`capacity: expected a positive integer, got \${capacity}\`);
    }
    this.#values = new Float64Array(capacity);
  }

  get length() {
    return this.#length;
  }

  push(value) {
    const capacity = this.#values.length;
    const end = (this.#start + this.#length) % capacity;
    this.#values[end] = value;
    if (this.#length === capacity) {
      this.#start = (this.#start + 1) % capacity;
    } else {
      this.#length += 1;
    }
  }

  /** The value pushed \`age\` pushes ago: at(0) is the newest. */
  at(age) {
    if (age < 0 || age >= this.#length) {
      return undefined;
    }
`,
  `She had kept the shop for thirty-one years, and in that time the street had changed its name twice, its paving three
times and its bakery, by her count, nine times. Only the clock over the chemist's stayed as it was, four minutes slow,
which everyone knew and nobody mended, so that strangers missed their buses and the people of the street never did. On
the last Saturday she put the best umbrellas in the window at half price. By noon there was a queue. Most of them did not
need an umbrella. The postman bought a child's one with frogs on it and said that it was for his niece, and he was known
to have no niece. A man whom she had once caught stealing a pair of gloves, forty years old now and a teacher, bought the
most expensive of all and would not take the change. At five o'clock she turned the sign. It was raining, of course, and
all along the street, under the slow clock, they stood and opened them, one after another, red and black and blue and
green, and for a moment it looked as if the whole street had`,
  `import { EventEmitter } from 'node:events';

/**
 * Runs jobs a few at a time, in the order in which they came.
 *
 *   const queue = new JobQueue({ concurrency: 2 });
 *   const page = await queue.add(() => download('https://example.org'));
 *
 * Events: 'start' and 'end' with the number of the job, 'idle' when nothing is left.
 */
export class JobQueue extends EventEmitter {
  #concurrency;
  #running = 0;
  #waiting = [];
  #next = 1;

  constructor({ concurrency = 1 } = {}) {
    super();
    this.#concurrency = concurrency;
  }

  /** How many jobs have been added and have not started. */
  get waiting() {
    return this.#waiting.length;
  }

  /** How many jobs run now. */
  get running() {
    return this.#running;
  }

  /** Resolves or rejects as the job does. */
  add(job) {
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ number, job, resolve, reject });
      this.#startWaiting();
    });
  }

  /** Forgets the jobs that have not started; their promises reject. */
  clear() {
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new Error('the queue was cleared'));
    }
  }

  #startWaiting() {
    while (this.#running < this.#concurrency && this.#waiting.length > 0) {
      const { number, job, resolve, reject } = this.#waiting.shift();
      this.#running += 1;
      this.emit('start', number);
      Promise.resolve()
        .then(job)
        .then(resolve, reject)
        .finally(() => {
`,
];
