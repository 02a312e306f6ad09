/**
 * First letters of the words of a name.
 *
 * initials('Ada Lovelace') // 'AL'
 *
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  return name.split(' ').map((word) => word[0]).join('');
}

/**
 * Does a word read the same backwards?
 *
 * isPalindrome('level') // true
 * isPalindrome('hello') // false
 *
 * @param {string} word
 * @returns {boolean}
 */
export function isPalindrome(word) {
}
