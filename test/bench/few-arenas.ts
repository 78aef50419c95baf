/** What bin/mailonce.js gives a process besides its flags. */
export const fewArenas = Object.freeze({ MALLOC_ARENA_MAX: '1' })
