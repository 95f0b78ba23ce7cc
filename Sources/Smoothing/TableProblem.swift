/// One thing wrong with a table that a person gave.
package struct TableProblem: Sendable, Hashable, CustomStringConvertible {
  /// Line in the text, from 1.
  package let line: Int
  /// Column name; empty when the row as a whole is meant.
  package let column: String
  /// What is there, and the remedy.
  package let message: String

  package init(line: Int, column: String = "", message: String) {
    self.line = line
    self.column = column
    self.message = message
  }

  package var description: String { "line \(line)" + (column.isEmpty ? "" : ", column \(column)") + ": \(message)" }
}
