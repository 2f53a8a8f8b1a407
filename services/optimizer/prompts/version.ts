/** Version of the prompts, kept with every run. Raise it with any change of a word: recordings are made of these words. */
export const PROMPT_VERSION = "1";
