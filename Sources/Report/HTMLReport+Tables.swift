internal import Smoothing

extension HTMLReport {
  /// Certified accuracy per series and radius; under each share its sampling interval.
  var accuracyTable: String {
    let content = AccuracyTable(runs)
    let several = runs.reports.count > 1
    let heads =
      (several ? ["run"] : []) + ["sigma"] + runs.radii.map { "r = \(LevelSummary.head($0))" } + ["ACR"]
      + (several ? ["abstained", "wrong"] : []) + (runs.hasHeld ? ["held"] : []) + ["images", "reach"]
    // Own runs first, imported ones in a body of their own: they are never mixed.
    let bodies = [false, true].compactMap { imported -> String? in
      let rows = content.rows.filter { $0.series.isImported == imported }.map { row($0, several: several) }
      guard !rows.isEmpty else { return nil }
      let title =
        runs.hasImported && runs.hasOwn
        ? "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"\(heads.count)\">"
          + (imported ? "Imported from logs: not computed by this fleet, not recomputable" : "Computed by this fleet")
          + "</th></tr>\n" : ""
      return "<tbody>\n\(title)\(rows.joined(separator: "\n"))\n</tbody>"
    }
    return """
      <section id="accuracy">
      <h2>Certified accuracy, percent</h2>
      <div class="scroll" tabindex="0" role="region" aria-label="Certified accuracy"><table>
      <thead><tr>\(heads.map { "<th scope=\"col\">\($0)</th>" }.joined())</tr></thead>
      \(bodies.joined(separator: "\n"))
      </table></div>
      <p class="note">\(notes.joined(separator: " "))</p>
      </section>
      """
  }

  private func row(_ row: AccuracyTable.Row, several: Bool) -> String {
    let summary = row.summary
    let key = "<span class=\"key\"></span>"
    let name =
      several
      ? "<th scope=\"row\">\(key)\(Escape.html(row.series.report.name))</th><td>\(summary.sigma)</td>"
      : "<th scope=\"row\">\(key)\(summary.sigma)</th>"
    let cells = row.cells.map { cell in
      let interval = SamplingInterval.bounds(cell.share)
      let low = NumberText.percent(Int((interval.low * 1000).rounded(.down)), of: 1000)
      let high = NumberText.percent(Int((interval.high * 1000).rounded(.up)), of: 1000)
      return "<td>\(cell.isBest ? "<strong>\(cell.text)</strong>" : cell.text)<small>\(low)–\(high)</small></td>"
    }
    return "<tr class=\"s\(row.series.color)\">\(name)\(cells.joined())<td>\(summary.averageRadius)</td>"
      + (several ? "<td>\(summary.abstained)</td><td>\(summary.mistaken)</td>" : "")
      + (runs.hasHeld ? "<td>\(row.series.level.held)</td>" : "")
      + "<td>\(summary.progress)</td><td>\(summary.reach)</td></tr>"
  }

  private var notes: [String] {
    ReportNotes(runs).sentences + [
      "Small: exact binomial 95 % interval for all images of which these are a random sample.",
      "Reach: the largest radius that n draws can certify.",
    ]
  }

  // MARK: Image by image

  /// Rows of one part of the table of images.
  static let pageRows = 500

  var showsItems: Bool { listsItems && runs.series.contains { !$0.level.items.isEmpty } }

  var items: String {
    guard showsItems else { return "" }
    let tables = runs.series.filter { !$0.level.items.isEmpty }.map { series in
      let pages = stride(from: 0, to: series.level.items.count, by: Self.pageRows).map {
        Array(series.level.items[$0..<min($0 + Self.pageRows, series.level.items.count)])
      }
      return pages.enumerated().map { page, items in
        let part =
          pages.count == 1 ? "" : ", images \(items[0].imageIndex) to \(items[items.count - 1].imageIndex)"
        return """
          <details\(series.index == 0 && page == 0 ? " open" : "")>
          <summary>\(Escape.html(series.name))\(part) <span class="soft">\(NumberText.grouped(items.count)) images</span></summary>
          \(itemTable(items, of: series))
          </details>
          """
      }.joined(separator: "\n")
    }
    return """
      <section id="images">
      <h2>Image by image</h2>
      \(pictureDefinitions)
      \(pictureNote)
      \(tables.joined(separator: "\n"))
      </section>
      """
  }

  private func itemTable(_ items: [RunReport.Item], of series: ReportSet.Series) -> String {
    let report = series.report
    let pictures = report.fleet?.images.pictures ?? [:]
    let hasPictures = items.contains { pictures[$0.imageIndex] != nil }
    let heads: [(name: String, isText: Bool)] =
      [("image", false), ("label", true), ("certified class", true), ("result", true), ("radius", false)]
      + [("votes", false), ("draws", false), ("p lower", false), ("time", false)]
    let head =
      (hasPictures ? "<th scope=\"col\">picture</th>" : "")
      + heads.map { "<th scope=\"col\" data-sort\($0.isText ? " class=\"text\"" : "")>\($0.name)</th>" }.joined()
    let rows = items.map { item in
      let kind = item.predicted == nil ? "abstains" : item.isCorrect ? "correct" : "wrong"
      let label = Escape.html(report.className(item.label))
      let source = item.source.isEmpty ? "" : " title=\"\(Escape.html(item.source))\""
      let id = "s\(series.index)i\(item.imageIndex)"
      var cells = hasPictures ? "<td class=\"picture\">\(picture(item, of: report))</td>" : ""
      cells +=
        "<th scope=\"row\"\(source)><a href=\"#\(id)\">\(item.imageIndex)</a></th><td class=\"text\">\(label)</td>"
      cells += "<td class=\"text\">\(item.predicted.map { Escape.html(report.className($0)) } ?? "–")</td>"
      cells += "<td class=\"text\">\(kind == "wrong" ? "<em>wrong</em>" : kind)</td>"
      cells += Self.number(item.radius, item.radius.map { NumberText.radius($0, places: 4) })
      cells += Self.number(item.hits.map(Double.init), item.hits.map(NumberText.grouped))
      cells += Self.number(Double(item.draws), NumberText.grouped(item.draws))
      cells += Self.number(item.pLower, item.pLower.map { NumberText.fixed($0, places: 6, towardZero: true) })
      cells += Self.number(item.seconds, item.seconds.map(LevelSummary.seconds))
      return "<tr id=\"\(id)\" class=\"\(kind)\">\(cells)</tr>"
    }
    return """
      <div class="scroll" tabindex="0" role="region" aria-label="\(Escape.html(series.name)), image by image"><table class="items">
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody>
      </table></div>
      """
  }

  /// A cell that sorts by its value; a dash sorts last.
  private static func number(_ value: Double?, _ text: String?) -> String {
    guard let value, let text else { return "<td data-v=\"-1\">–</td>" }
    return "<td data-v=\"\(value)\">\(text)</td>"
  }

  // MARK: Pictures

  /// Each picture once, however many tables show it.
  private var pictureDefinitions: String {
    let symbols = runs.reports.enumerated().flatMap { place, report in
      (report.fleet?.images.pictures ?? [:]).sorted { $0.key < $1.key }.map { index, picture in
        "<symbol id=\"p\(place)-\(index)\" viewBox=\"0 0 \(picture.width) \(picture.height)\">"
          + "<image width=\"\(picture.width)\" height=\"\(picture.height)\" href=\"data:image/png;base64,\(picture.base64)\"/></symbol>"
      }
    }
    return symbols.isEmpty
      ? ""
      : "<svg class=\"store\" width=\"0\" height=\"0\" aria-hidden=\"true\">\n\(symbols.joined(separator: "\n"))\n</svg>"
  }

  private func picture(_ item: RunReport.Item, of report: RunReport) -> String {
    guard let picture = report.fleet?.images.pictures[item.imageIndex],
      let place = runs.reports.firstIndex(where: { $0.fleet?.runID == report.fleet?.runID })
    else { return "" }
    let height = picture.height * 40 / max(picture.width, 1)
    return "<svg class=\"thumb\" width=\"40\" height=\"\(height)\" role=\"img\" aria-label=\"image \(item.imageIndex), "
      + "\(Escape.html(report.className(item.label)))\"><use href=\"#p\(place)-\(item.imageIndex)\"/></svg>"
  }

  private var pictureNote: String {
    let shown = runs.reports.reduce(0) { $0 + ($1.fleet?.images.pictures.count ?? 0) }
    let images = runs.reports.reduce(0) { sum, report in
      sum + (report.fleet == nil ? 0 : Set(report.levels.flatMap(\.items).map(\.imageIndex)).count)
    }
    guard shown > 0 else { return "" }
    let left =
      shown < images
      ? " Pictures of \(NumberText.grouped(shown)) of \(NumberText.grouped(images)) images are in this page." : ""
    return "<p class=\"note\">Pictures show what the network was fed, after resize and crop, pixel by pixel.\(left)</p>"
  }

  /// Sorts a table by the column whose head is pressed; numbers by value, words by letter.
  static let script = """
    <script>
    document.querySelectorAll("th[data-sort]").forEach(function (head) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var body = head.closest("table").tBodies[0];
        var place = head.cellIndex;
        var down = head.getAttribute("aria-sort") === "ascending";
        head.parentNode.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        var key = function (row) {
          var cell = row.cells[place];
          return head.className === "text" ? cell.textContent : Number(cell.dataset.v || cell.textContent);
        };
        var rows = Array.from(body.rows).map(function (row) { return [key(row), row]; });
        rows.sort(function (a, b) { return (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1); });
        rows.forEach(function (pair) { body.appendChild(pair[1]); });
      });
    });
    </script>
    """
}
