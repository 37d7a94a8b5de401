import { styleText } from 'node:util'

/** Columns that no line goes beyond. */
export const WIDTH = 110

export type Paint = (style: 'bold' | 'dim' | 'green' | 'red', text: string) => string

export const createPaint =
  (colour: boolean): Paint =>
  (style, text) =>
    colour ? styleText(style, text, { validateStream: false }) : text

export const mark = (paint: Paint, right: boolean) => (right ? paint('green', '✓') : paint('red', '✗'))
