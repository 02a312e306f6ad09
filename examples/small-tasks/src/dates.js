/**
 * Is a year a leap year? A leap year is divisible by 4 and not divisible by 100, or it is divisible by 400.
 *
 * isLeapYear(2024) // true
 * isLeapYear(2023) // false
 * isLeapYear(1900) // false
 * isLeapYear(2000) // true
 *
 * @param {number} year
 * @returns {boolean}
 */
export function isLeapYear(year) {
}
