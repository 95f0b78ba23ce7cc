import Foundation
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

  @Test("the page needs nothing from outside, and its one script is ours and last")
  func selfContained() throws {
    var withPicture = Sample.finished
    withPicture.fleet?.images.pictures[0] = .init(width: 8, height: 8, base64: "iVBORw0KGgo=")
    for report in [Sample.finished, Sample.unfinished, withPicture, Sample.imported(), Sample.hostile()] {
      let html = HTMLReport(report).text
      for outside in ["http:", "https:", "src=\"", "url(", "@import", "<link", "<iframe"] {
        #expect(!html.contains(outside), "\(outside)")
      }
      for reference in html.matches(of: /href="([^"]*)"/) {
        #expect(reference.1.hasPrefix("#") || reference.1.hasPrefix("data:image/png;base64,"), "\(reference.1)")
      }
      #expect(html.split(separator: "<script").count == 2 && html.hasSuffix("</script>\n</body>\n</html>\n"))
      #expect(html.contains("default-src 'none'"))
      #expect(html.contains("prefers-color-scheme: dark") && html.contains("max-width: 600px"))
      #expect(Self.unbalanced(html.replacing(HTMLReport.script, with: "")) == [])
      // Links within the page have their place in it.
      for anchor in html.matches(of: /href="#([^"]+)"/) { #expect(html.contains("id=\"\(anchor.1)\"")) }
      let ids = html.matches(of: /\sid="([^"]+)"/).map { String($0.1) }
      #expect(Set(ids).count == ids.count)
    }
  }

  @Test("names are escaped wherever they stand")
  func escaping() {
    let evil = "<img onerror=\"x\"> & 'y'"
    var report = Sample.report(
      levels: [Sample.level(0.5, spread: 0.5, finished: 12)], name: evil,
      classNames: Array(repeating: evil, count: 10))
    report.fleet?.checkpoint.name = evil
    report.fleet?.images.dataset = evil
    report.fleet?.images.subset = evil
    report.fleet?.settings.numerics = [evil]
    report.fleet?.error = evil
    report.levels[0].items[0].source = evil
    var imported = Sample.imported(name: evil)
    imported.basis = .imported(.init(importID: 1, source: evil, files: [evil], notes: [evil]))
    for html in [HTMLReport(report).text, HTMLReport(ReportSet([report, imported])).text, HTMLReport(imported).text] {
      #expect(!html.contains("<img") && !html.contains("& '") && !html.contains("onerror=\"x\""))
      #expect(html.contains("&lt;img onerror=&quot;x&quot;&gt; &amp; &#39;y&#39;"))
      #expect(Self.unbalanced(html.replacing(HTMLReport.script, with: "")) == [])
    }
  }

  @Test("cards, table and bold marks carry the figures of the terminal table")
  func figures() {
    let html = HTMLReport(Sample.finished).text
    for figure in [
      "95.0<small>%", "88.0<small>%", "74.0<small>%", "<dd>0.392</dd>", "<dd>1.189</dd>", "<td>3.199</td>",
      // 95 of 100: the exact interval is 0.88716 to 0.98356.
      "<td><strong>95.0</strong><small>88.7–98.4</small></td>",
    ] {
      #expect(html.contains(figure), "\(figure)")
    }
    // At r = 0 sigma 0.25 is best, at r = 3 sigma 1; where all are 0 nothing is bold.
    #expect(html.contains("<strong>95.0</strong>") && html.contains("<strong>8.0</strong>"))
    #expect(!html.contains("<strong>0.0</strong>"))
  }

  @Test("ties for the best sigma go to the first")
  func ties() {
    let twice = Sample.report(levels: [Sample.level(0.5, spread: 0.8), Sample.level(0.5, spread: 0.8)])
    let rows = HTMLReport(twice).text.split(separator: "\n").filter { $0.contains("<th scope=\"row\"><span") }
    #expect(rows.count == 2 && rows[0].contains("<strong>") && !rows[1].contains("<strong>"))
  }

  @Test("bands hold the sampling error, and while images are unfinished every outcome")
  func bands() {
    let html = HTMLReport(Sample.unfinished).text
    // Once for the wide and once for the narrow drawing; the level without any result draws nothing.
    #expect(html.split(separator: "class=\"band s1\"").count == 3)
    #expect(!html.contains("class=\"line s2") && html.contains("unfinished</span>"))
    #expect(!html.contains("Bold: best"))
    for level in Sample.unfinished.levels {
      let accuracy = level.accuracy
      let band = SamplingBand(accuracy)
      for certified in 0...accuracy.correctRadii.count {
        let share = AccuracyInterval(low: certified, high: certified + accuracy.unfinished, total: accuracy.planned)
        let exact = SamplingInterval.bounds(share)
        #expect(band.lower(certified) == exact.low && band.upper(certified) == exact.high)
      }
    }
    // With thousands of images the band is never narrower than the exact one.
    let many = CertifiedAccuracy((0..<1234).map { Outcome(isCorrect: true, radius: Double($0)) }, planned: 2000)
    let band = SamplingBand(many)
    for certified in stride(from: 0, through: 1234, by: 97) {
      let exact = SamplingInterval.bounds(AccuracyInterval(low: certified, high: certified + 766, total: 2000))
      #expect(band.lower(certified) <= exact.low && band.upper(certified) >= exact.high)
    }
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
    let svg = CurveSVG(ReportSet([Sample.report(levels: [level])]), size: .wide).markup
    // 760 by 342 pixels of plot from (46, 14); span 2.1. Shares 1, 3/4, 1/4, 0.
    #expect(svg.contains("d=\"M46 14L227 14L227 99.5L407.9 99.5L407.9 185L407.9 270.5L769.8 270.5L769.8 356\""))
  }

  @Test("items can be left out of a page of thousands, and thousands come in parts")
  func manyItems() {
    let html = HTMLReport(Sample.finished, listsItems: false).text
    #expect(!html.contains("Image by image") && Self.unbalanced(html.replacing(HTMLReport.script, with: "")) == [])
    #expect(HTMLReport(Sample.finished).text.contains("<summary>sigma 0.5 <span"))
    var level = Sample.level(0.5, spread: 0.5)
    level.planned = 1200
    level.items = (0..<1200).map { index in
      var item = level.items[index % 100]
      item.imageIndex = index
      return item
    }
    let long = HTMLReport(Sample.report(levels: [level])).text
    #expect(long.split(separator: "<details").count == 4 && long.contains("images 1000 to 1199"))
    #expect(long.split(separator: "<tr id=\"s0i").count == 1201)
  }

  @Test("a picture stands in the page once, with the class in words, and is named where it is shown")
  func pictures() {
    var report = Sample.hostile()
    report.levels.append(Sample.level(1.0, spread: 0.5, finished: 12))
    report.fleet?.images.pictures = [
      0: .init(width: 8, height: 4, base64: "AAAA"), 5: .init(width: 8, height: 4, base64: "BBBB"),
    ]
    let html = HTMLReport(report).text
    #expect(html.split(separator: "base64,AAAA").count == 2 && html.split(separator: "href=\"#p0-0\"").count == 3)
    #expect(
      html.contains(
        "width=\"40\" height=\"20\" role=\"img\" aria-label=\"image 0, &lt;script&gt;alert(1)&lt;/script&gt;\""))
    #expect(html.contains("Pictures of 2 of 12 images are in this page"))
  }

  @Test("bars count every finished image once, and edges belong to the bar they begin")
  func histogram() {
    var level = Sample.level(1.0, spread: 0)
    level.planned = 60
    level.items = (0..<50).map { index in
      var item = level.items[index]
      item.topClass = index % 10 == 0 ? item.label + 1 : item.label
      item.radius = index == 49 ? nil : Double(index) / 20
      return item
    }
    let fine = RadiusHistogram(level, mostBins: 100)
    #expect(fine.bins.count == 49 && fine.bins.allSatisfy { $0.correct + $0.wrong == 1 } && fine.abstained == 1)
    #expect(fine.bins[10].wrong == 1 && fine.bins[11].correct == 1 && fine.unfinished == 10)
    let coarse = RadiusHistogram(level)
    #expect(coarse.bins.count == 10 && coarse.bins[0].from == 0 && coarse.bins[0].below == 0.25)
    #expect(coarse.bins.reduce(0) { $0 + $1.correct + $1.wrong } == 49)
    #expect(RadiusHistogram(Sample.level(1.0, spread: 0, finished: 0)).bins.isEmpty)
    let html = HTMLReport(Sample.report(levels: [level])).text
    #expect(html.contains("aria-label=\"Certified radii, sigma 1. Abstained: 1. 0 to 0.25: 4 correct and 1 wrong;"))
  }

  @Test("text stands out from what it stands on, by light and by dark")
  func contrast() throws {
    let roots = HTMLReport.style.components(separatedBy: ":root {").dropFirst().map { $0.prefix { $0 != "}" } }
    #expect(roots.count == 2)
    for root in roots {
      let colors = Dictionary(
        uniqueKeysWithValues: root.matches(of: /--([a-z0-9]+): #([0-9a-f]{6})/).map {
          (String($0.1), UInt32($0.2, radix: 16)!)
        })
      // Relative luminance and contrast ratio of WCAG 2.1.
      func luminance(_ name: String) throws -> Double {
        let color = try #require(colors[name])
        let parts = [16, 8, 0].map { shift in
          let part = Double(color >> UInt32(shift) & 0xFF) / 255
          return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
      }
      func ratio(_ a: String, _ b: String) throws -> Double {
        let (x, y) = (try luminance(a), try luminance(b))
        return (max(x, y) + 0.05) / (min(x, y) + 0.05)
      }
      for text in ["ink", "soft", "link", "good", "open", "bad", "s3"] {
        for ground in ["page", "paper"] { #expect(try ratio(text, ground) >= 4.5, "\(text) on \(ground)") }
      }
      // Lines and bars need 3.
      for line in 0..<6 { #expect(try ratio("s\(line)", "paper") >= 3, "s\(line)") }
    }
  }
}
