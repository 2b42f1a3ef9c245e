/** The name of a unit with its suffix, as systemctl(1) completes it. */
export const unitNameOf = (text: string): string => (/\.[a-z]+$/.test(text) ? text : `${text}.service`)
