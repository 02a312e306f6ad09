/**
 * Is a whole number even?
 *
 * isEven(4) // true
 * isEven(7) // false
 *
 * @param {number} number
 * @returns {boolean}
 */
export function isEven(number) {
  return number % 2 === 0;
}

/**
 * Distance of a number from zero.
 *
 * absolute(-3) // 3
 *
 * @param {number} number
 * @returns {number}
 */
export function absolute(number) {
  if (number < 0) {
    return -number;
  }
  return number;
}

/**
 * Product of the whole numbers from 1 to n; 1 for n = 0.
 *
 * factorial(5) // 120
 * factorial(0) // 1
 *
 * @param {number} n
 * @returns {number}
 */
export function factorial(n) {
}
