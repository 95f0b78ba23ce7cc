import Smoothing
import Testing

@testable import Report

@Suite("The report as a page")
struct HTMLReportTests {
  /// Names of elements still open at each point; void elements need no end.
  static func unbalanced(_ html: String) -> [String] {
    let void: Set<Substring> = ["meta", "!DOCTYPE"]
    var open: [Substring] = []
    for piece in html.split(separator: "<").dropFirst() {
      let tag = piece.prefix { $0 != ">" }
      if tag.hasSuffix("/") { continue }
      let name = tag.prefix { $0 != " " }
      if name.hasPrefix("/") {
        guard open.last == name.dropFirst() else { return open.map(String.init) + [String(name)] }
        open.removeLast()
      } else if !void.contains(name) {
        open.append(name)
      }
    }
    return open.map(String.init)
  }

  @Test("the page needs nothing from outside and no script")
  func selfContained() {
    for report in [Sample.finished, Sample.unfinished] {
      let html = HTMLReport(report).text
      for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe"] {
        #expect(!html.contains(outside), "\(outside)")
      }
      #expect(html.contains("prefers-color-scheme: dark") && html.contains("max-width: 600px"))
      #expect(Self.unbalanced(html) == [])
    }
  }

  @Test("names are escaped wherever they stand")
  func escaping() {
    let evil = "<img onerror=\"x\"> & 'y'"
    var report = Sample.report(
      levels: [Sample.level(0.5, spread: 0.5, finished: 12)], name: evil,
      classNames: Array(repeating: evil, count: 10))
    report.checkpoint.name = evil
    report.images.dataset = evil
    report.images.subset = evil
    report.settings.numerics = [evil]
    let html = HTMLReport(report).text
    #expect(!html.contains("<img") && !html.contains("& '") && !html.contains("onerror=\"x\""))
    #expect(html.contains("&lt;img onerror=&quot;x&quot;&gt; &amp; &#39;y&#39;"))
    #expect(Self.unbalanced(html) == [])
  }

  @Test("cards, table and bold marks carry the figures of the terminal table")
  func figures() {
    let html = HTMLReport(Sample.finished).text
    for figure in [
      "95.0<small>%", "88.0<small>%", "74.0<small>%", "<dd>0.392</dd>", "<dd>1.189</dd>", "<td>3.198</td>",
    ] {
      #expect(html.contains(figure), "\(figure)")
    }
    // At r = 0 sigma 0.25 is best, at r = 3 sigma 1; where all are 0 nothing is bold.
    #expect(html.contains("<td><strong>95.0</strong></td>") && html.contains("<td><strong>8.0</strong></td>"))
    #expect(!html.contains("<strong>0.0</strong>"))
    #expect(html.contains("standard error of up to 5.0 points"))
  }

  @Test("ties for the best sigma go to the first")
  func ties() {
    let twice = Sample.report(levels: [Sample.level(0.5, spread: 0.8), Sample.level(0.5, spread: 0.8)])
    let rows = HTMLReport(twice).text.split(separator: "\n").filter { $0.contains("<th scope=\"row\">") }
    #expect(rows.count == 2 && rows[0].contains("<strong>") && !rows[1].contains("<strong>"))
  }

  @Test("an unfinished level has a band from all wrong to all right, a finished one none")
  func bands() {
    #expect(!HTMLReport(Sample.finished).text.contains("class=\"band"))
    let html = HTMLReport(Sample.unfinished).text
    // Once for the wide and once for the narrow drawing; the level without any result draws nothing.
    #expect(html.split(separator: "class=\"band s1\"").count == 3)
    #expect(!html.contains("class=\"line s2\"") && html.contains("unfinished</span>"))
    #expect(!html.contains("Bold: best sigma"))
  }

  @Test("the curve is the exact step function of the certified radii")
  func curve() {
    var level = Sample.level(1.0, spread: 0)
    level.planned = 4
    level.items = Array(level.items.prefix(4))
    for (index, radius) in [0.5, 1, 1, 2].enumerated() {
      level.items[index].radius = radius
      level.items[index].topClass = level.items[index].label
    }
    let svg = CurveSVG(Sample.report(levels: [level]), size: .wide).markup
    // 760 by 342 pixels of plot from (46, 14); span 2.1. Shares 1, 3/4, 1/4, 0.
    #expect(svg.contains("d=\"M46 14L227 14L227 99.5L407.9 99.5L407.9 185L407.9 270.5L769.8 270.5L769.8 356\""))
  }

  @Test("items can be left out of a page of thousands")
  func withoutItems() {
    let html = HTMLReport(Sample.finished, listsItems: false).text
    #expect(!html.contains("Image by image") && Self.unbalanced(html) == [])
    #expect(HTMLReport(Sample.finished).text.contains("Every image at sigma 0.5"))
  }
}
