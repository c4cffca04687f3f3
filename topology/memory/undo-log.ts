/** How to take back the writes since a savepoint: run them from the last to the first. */
export type UndoLog = (() => void)[]

export function undoAll(log: UndoLog): void {
  for (let undo = log.pop(); undo !== undefined; undo = log.pop()) undo()
}
