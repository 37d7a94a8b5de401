/** Whether a text can be kept: PostgreSQL has no place for U+0000, nor for half of a surrogate pair. */
export const isStorableText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')
