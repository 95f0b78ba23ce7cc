/// Columns of text lined up for a terminal.
struct TextTable {
  private var rows: [[String]]
  /// Columns set to the left; the others, numbers, to the right.
  private let leading: Set<Int>

  init(header: [String], leading: Set<Int> = [0]) {
    rows = [header]
    self.leading = leading
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// Header, a rule, rows; two spaces between columns, no spaces at line ends.
  var lines: [String] {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      var line = row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return leading.contains(column) ? row[column] + padding : padding + row[column]
      }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }
    lines.insert(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), at: 1)
    return lines
  }
}
