internal import Smoothing

/// Certified accuracy against radius as inline SVG, coloured by the page's style sheet.
///
/// Curves are exact step functions; while images are unfinished a band reaches from "all wrong" to "all right".
struct CurveSVG {
  /// Pixels of the drawing; two are placed in the page, one for wide and one for narrow screens.
  struct Size {
    let width: Double
    let height: Double
    let name: String
    /// Distance of labelled radii may not fall under this many pixels.
    let tickGap: Double

    static let wide = Size(width: 820, height: 400, name: "wide", tickGap: 62)
    static let narrow = Size(width: 380, height: 320, name: "narrow", tickGap: 44)
  }

  private let report: RunReport
  private let size: Size
  private let span: Double
  private let left = 46.0
  private let top = 14.0
  private let bottom = 44.0
  private let right = 14.0

  init(_ report: RunReport, size: Size) {
    self.report = report
    self.size = size
    let furthest =
      report.levels.map { level in
        level.isFinished ? level.accuracy.largestCertified ?? 0 : report.reach(level)
      }.max() ?? 0
    self.span = furthest > 0 ? furthest * 1.05 : 1
  }

  var markup: String {
    var lines = [
      "<svg class=\"curve \(size.name)\" viewBox=\"0 0 \(Self.coordinate(size.width)) \(Self.coordinate(size.height))\" "
        + "role=\"img\" aria-label=\"Certified accuracy against certified radius\">"
    ]
    lines += axes
    for index in report.levels.indices { lines += curve(index) }
    lines.append("</svg>")
    return lines.joined(separator: "\n")
  }

  private var plotWidth: Double { size.width - left - right }
  private var plotHeight: Double { size.height - top - bottom }
  private func x(_ radius: Double) -> Double { left + plotWidth * min(radius / span, 1) }
  private func y(_ share: Double) -> Double { top + plotHeight * (1 - share) }

  private var axes: [String] {
    var lines: [String] = []
    for percent in stride(from: 0, through: 100, by: 20) {
      let height = Self.coordinate(y(Double(percent) / 100))
      lines.append(
        "<line class=\"\(percent == 0 ? "axis" : "grid")\" x1=\"\(Self.coordinate(left))\" x2=\"\(Self.coordinate(size.width - right))\" y1=\"\(height)\" y2=\"\(height)\"/>"
      )
      lines.append(
        "<text class=\"tick\" x=\"\(Self.coordinate(left - 8))\" y=\"\(height)\" dy=\".35em\" text-anchor=\"end\">\(percent)%</text>"
      )
    }
    for radius in ticks {
      let place = Self.coordinate(x(radius))
      let base = y(0)
      lines.append(
        "<line class=\"axis\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(Self.coordinate(base))\" y2=\"\(Self.coordinate(base + 5))\"/>"
      )
      lines.append(
        "<text class=\"tick\" x=\"\(place)\" y=\"\(Self.coordinate(base + 19))\" text-anchor=\"middle\">\(LevelSummary.head(radius))</text>"
      )
    }
    lines.append(
      "<text class=\"label\" x=\"\(Self.coordinate(left + plotWidth / 2))\" y=\"\(Self.coordinate(size.height - 6))\" text-anchor=\"middle\">certified L2 radius</text>"
    )
    return lines
  }

  /// Radii in steps of 1, 2 or 5 tenths of a power of ten, or quarters, as many as fit.
  private var ticks: RadiusGrid {
    let fits = { (step: Double) in plotWidth * step / span >= size.tickGap }
    for (unit, step) in [(20, 1), (10, 1), (4, 1), (2, 1), (1, 1), (1, 2), (1, 5), (1, 10), (1, 50), (1, 200)]
    where fits(Double(step) / Double(unit)) {
      return RadiusGrid(unit: unit, step: step, through: Int(span * Double(unit)))
    }
    return RadiusGrid(unit: 1, through: 0)
  }

  private func curve(_ index: Int) -> [String] {
    let level = report.levels[index]
    let accuracy = level.accuracy
    guard accuracy.finished > 0 else { return [] }
    var lines: [String] = []
    let low = steps(accuracy, unfinishedCount: 0)
    if !level.isFinished {
      let reach = x(report.reach(level))
      let high = steps(accuracy, unfinishedCount: accuracy.unfinished, until: reach)
      let back = low.reversed().map { "L\(Self.coordinate($0.x)) \(Self.coordinate($0.y))" }.joined()
      lines.append(
        "<path class=\"band s\(index % 6)\" d=\"\(Self.path(high))L\(Self.coordinate(reach)) \(Self.coordinate(y(0)))\(back)Z\"/>"
      )
    }
    lines.append(
      "<path class=\"line s\(index % 6)\" d=\"\(Self.path(low))\"><title>sigma \(level.sigma)</title></path>")
    return lines
  }

  private struct Point: Equatable {
    let x: Double
    let y: Double
  }

  /// Corners of the step function from r = 0 to where it reaches zero, or to `until`.
  private func steps(_ accuracy: CertifiedAccuracy, unfinishedCount: Int, until end: Double? = nil) -> [Point] {
    let radii = accuracy.correctRadii
    func height(_ certified: Int) -> Double {
      y(Double(certified + unfinishedCount) / Double(max(accuracy.planned, 1)))
    }
    var points = [Point(x: x(0), y: height(radii.count))]
    for (index, radius) in radii.enumerated() {
      let place = x(radius)
      points.append(Point(x: place, y: height(radii.count - index)))
      points.append(Point(x: place, y: height(radii.count - index - 1)))
    }
    if let end { points.append(Point(x: end, y: height(0))) }
    return points
  }

  private static func path(_ points: [Point]) -> String {
    var text = ""
    var last = ""
    for point in points {
      let place = "\(coordinate(point.x)) \(coordinate(point.y))"
      if place != last { text += (text.isEmpty ? "M" : "L") + place }
      last = place
    }
    return text
  }

  /// A tenth of a pixel.
  private static func coordinate(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
  }
}
