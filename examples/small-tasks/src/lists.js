/**
 * Last item of an array.
 *
 * last([1, 2, 3]) // 3
 *
 * @param {Array} items
 * @returns {*}
 */
export function last(items) {
  return items[items.length - 1];
}

/**
 * How often a value occurs in an array.
 *
 * occurrences([1, 2, 1], 1) // 2
 *
 * @param {Array} items
 * @param {*} value
 * @returns {number}
 */
export function occurrences(items, value) {
  return items.filter((item) => item === value).length;
}

/**
 * Largest number of an array.
 *
 * largest([3, 9, 2]) // 9
 * largest([-5, -1]) // -1
 *
 * @param {number[]} numbers
 * @returns {number}
 */
export function largest(numbers) {
}
