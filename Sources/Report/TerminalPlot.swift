internal import Smoothing

/// Certified accuracy against radius in Braille dots, two by four to a character.
///
/// Curves differ by dot pattern as well as by colour, so that the plot reads without colour.
struct TerminalPlot {
  private let runs: ReportSet
  private let usesColor: Bool
  private let columns: Int
  private static let rows = 14
  private static let margin = 6
  /// Dots on and off along a curve: solid, dashed, dotted, ….
  private static let patterns: [(on: Int, off: Int)] = [(1, 0), (5, 3), (1, 2), (8, 2), (2, 4), (3, 1)]
  private static let colors = [34, 33, 32, 35, 36, 31]

  init(_ runs: ReportSet, usesColor: Bool, width: Int) {
    self.runs = runs
    self.usesColor = usesColor
    self.columns = max(width - Self.margin - 2, 20)
  }

  var lines: [String] {
    let series = runs.series
    let furthest = series.compactMap { $0.accuracy.largestCertified }.max() ?? 0
    // A little past the last certified radius, so that the fall to zero shows.
    let span = max(furthest * 1.04, runs.radii.first { $0 > 0 } ?? 1)
    var canvas = BrailleCanvas(columns: columns, rows: Self.rows)
    for one in series where !one.level.items.isEmpty {
      draw(one.accuracy, index: one.index, span: span, on: &canvas)
    }
    var lines: [String] = []
    for row in 0..<Self.rows {
      lines.append(axisLabel(row) + "┤" + canvas.line(row) { paint($0, color: Self.colors[$1 % Self.colors.count]) })
    }
    lines.append(String(repeating: " ", count: Self.margin - 1) + "└" + String(repeating: "─", count: columns))
    lines.append(radiusAxis(span: span))
    return lines + legend
  }

  private func draw(_ accuracy: CertifiedAccuracy, index: Int, span: Double, on canvas: inout BrailleCanvas) {
    let pattern = Self.patterns[index % Self.patterns.count]
    let (width, height) = (columns * 2, Self.rows * 4)
    var previous: Int?
    var travelled = 0
    for x in 0..<width {
      let share = accuracy.at(span * Double(x) / Double(width)).lowShare
      let y = Int(((1 - share) * Double(height - 1)).rounded())
      // The step down is drawn too: dots from the previous height to this one.
      for dot in stride(from: previous.map { min($0 + 1, y) } ?? y, through: y, by: 1) {
        if travelled % (pattern.on + pattern.off) < pattern.on { canvas.set(x: x, y: dot, series: index) }
        travelled += 1
      }
      previous = y
      if share == 0 { break }
    }
  }

  private func axisLabel(_ row: Int) -> String {
    let text = row == 0 ? "100%" : row == Self.rows / 2 ? "50%" : row == Self.rows - 1 ? "0%" : ""
    return String(repeating: " ", count: Self.margin - 1 - text.count) + text
  }

  private func radiusAxis(span: Double) -> String {
    var line = [Character](repeating: " ", count: Self.margin + columns)
    var free = 0
    for radius in runs.radii where radius <= span {
      let text = Array(LevelSummary.head(radius))
      let start = Self.margin + Int(radius / span * Double(columns)) - text.count / 2
      guard start >= free, start + text.count <= line.count else { continue }
      line.replaceSubrange(start..<start + text.count, with: text)
      free = start + text.count + 1
    }
    while line.last == " " { line.removeLast() }
    return String(line)
  }

  private var legend: [String] {
    let keys = runs.series.map { series in
      let pattern = Self.patterns[series.index % Self.patterns.count]
      var canvas = BrailleCanvas(columns: 4, rows: 1)
      for x in 0..<8 where x % (pattern.on + pattern.off) < pattern.on { canvas.set(x: x, y: 1, series: series.index) }
      let sample = canvas.line(0) { paint($0, color: Self.colors[$1 % Self.colors.count]) }
      return "\(sample) \(Escape.plain(series.name))"
    }
    let lead = String(repeating: " ", count: Self.margin)
    let caption = "certified accuracy against L2 radius" + (runs.isFinished ? "" : " (unfinished counted wrong)")
    // Several runs have long names: one line each.
    return runs.reports.count > 1
      ? (keys + [caption]).map { lead + $0 } : [lead + keys.joined(separator: "   ") + "   " + caption]
  }

  private func paint(_ text: String, color: Int) -> String { usesColor ? "\u{1B}[\(color)m\(text)\u{1B}[0m" : text }
}

/// A grid of dots, two wide and four high to each Braille character.
struct BrailleCanvas {
  let columns: Int
  private var dots: [UInt8]
  /// The series that drew last in a character, which gives it its colour.
  private var owner: [Int?]

  init(columns: Int, rows: Int) {
    self.columns = columns
    dots = [UInt8](repeating: 0, count: columns * rows)
    owner = [Int?](repeating: nil, count: columns * rows)
  }

  mutating func set(x: Int, y: Int, series: Int) {
    // Unicode numbers the dots down the left column, then down the right one, and the bottom pair last.
    let bit = y % 4 == 3 ? 6 + x % 2 : y % 4 + 3 * (x % 2)
    let cell = y / 4 * columns + x / 2
    dots[cell] |= 1 << UInt8(bit)
    owner[cell] = series
  }

  /// One line of characters; runs of one series pass through `paint`. Empty cells are spaces, none at the end.
  func line(_ row: Int, paint: (String, Int) -> String) -> String {
    var cells = Array(row * columns..<(row + 1) * columns)
    while let last = cells.last, dots[last] == 0 { cells.removeLast() }
    var line = ""
    var run = ""
    var series: Int?
    func flush() {
      line += series.map { paint(run, $0) } ?? run
      run = ""
    }
    for cell in cells {
      if owner[cell] != series {
        flush()
        series = owner[cell]
      }
      run.unicodeScalars.append(dots[cell] == 0 ? " " : Unicode.Scalar(0x2800 + UInt32(dots[cell]))!)
    }
    flush()
    return line
  }
}
