package import Smoothing

/// Certificates as files other programs read. Byte-identical for identical certificates, the time column aside.
package enum CertificateExport {
  /// Which columns a log has.
  package enum Columns: String, Sendable, CaseIterable {
    /// The six of ``cohen``, then `n_a`, `n` and `sigma`, `radius_full` with up to 17 digits, rounded toward zero, and
    /// `mode` and `planned_n`: in mode `fixed` the counts give the full radius back, in others docs/formats.md says what
    /// does. All sigmas in one table.
    case ours
    /// `idx label predict radius correct time`, as locuslab/smoothing and its descendants print.
    case cohen
    /// `label predict radius correct time` without a header, as the rRCM authors' code prints.
    case rrcm
  }

  /// How a log prints the time of an image.
  package enum Time: String, Sendable, CaseIterable {
    /// `0:00:13.736080`.
    case clock
    /// `13.7`.
    case seconds
  }

  /// The table of the published logs: tab separated, abstentions with predict -1 and radius 0.0, radius with three
  /// significant digits to nearest. Rows are ordered by sigma as in the run, then by image.
  ///
  /// - Note: three digits may round up; `radius_full`, `csv` and `json` carry the certified radius.
  package static func tsv(
    _ report: RunReport, columns: Columns = .ours, time: Time = .clock, sigma: ExactDecimal? = nil
  ) -> String {
    let header =
      switch columns {
      case .ours: "idx\tlabel\tpredict\tradius\tcorrect\ttime\tn_a\tn\tsigma\tradius_full\tmode\tplanned_n\n"
      case .cohen: "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
      case .rrcm: ""
      }
    var text = header
    for level in report.levels where sigma == nil || level.sigma == sigma {
      for item in level.items {
        let seconds = item.seconds.map { time == .clock ? clock($0) : NumberText.threeDigits($0) } ?? ""
        var fields = [
          "\(item.label)", "\(item.predicted ?? -1)", NumberText.threeDigits(item.radius ?? 0),
          item.isCorrect ? "1" : "0", seconds,
        ]
        if columns != .rrcm { fields.insert("\(item.imageIndex)", at: 0) }
        if columns == .ours {
          fields += [
            item.hits.map { "\($0)" } ?? "", "\(item.draws)", "\(item.sigma ?? level.sigma)",
            NumberText.down17(item.radius ?? 0), mode(of: report), "\(level.draws)",
          ]
        }
        text += fields.joined(separator: "\t") + "\n"
      }
    }
    return text
  }

  /// Head of ``csv(_:)``.
  package static let csvColumns = [
    "sigma", "idx", "label", "predict", "radius", "correct", "abstain", "p_lower", "n_a", "n", "alpha", "time_seconds",
    "mode", "planned_n", "origin",
  ]

  /// Every certificate with up to 17 digits, rounded toward zero, and what it was computed from.
  package static func csv(_ report: RunReport) -> String {
    var text = csvColumns.joined(separator: ",") + "\n"
    for level in report.levels {
      for item in level.items {
        let fields = [
          "\(item.sigma ?? level.sigma)", "\(item.imageIndex)", "\(item.label)", "\(item.predicted ?? -1)",
          NumberText.down17(item.radius ?? 0), item.isCorrect ? "1" : "0", item.radius == nil ? "1" : "0",
          item.pLower.map(NumberText.down17) ?? "", item.hits.map { "\($0)" } ?? "", "\(item.draws)", "\(level.alpha)",
          item.seconds.map { NumberText.fixed($0, places: 6, towardZero: false) } ?? "",
          mode(of: report), "\(level.draws)", report.origin,
        ]
        text += fields.joined(separator: ",") + "\n"
      }
    }
    return text
  }

  /// How its votes became certificates; empty when imported, since logs do not say.
  private static func mode(of report: RunReport) -> String { report.fleet?.settings.mode.rawValue ?? "" }

  /// The run's facts and every certificate; numbers read back to the same doubles.
  package static func json(_ report: RunReport) -> String {
    let levels = report.levels.map { level in
      JSONText.object([
        ("sigma", level.label.map(JSONText.string) ?? "\(level.sigma)"), ("n", "\(level.draws)"),
        ("alpha", "\(level.alpha)"),
        ("m", level.m.map { "\($0)" } ?? "null"), ("slack", JSONText.number(level.slack)),
        ("table_sha256", level.tableDigest.map(JSONText.string) ?? "null"), ("planned", "\(level.planned)"),
        ("finished", "\(level.items.count)"),
        (
          "certificates",
          JSONText.array(level.items.map { certificate($0, of: level, mode(of: report)) }, indent: "    ")
        ),
      ])
    }
    var members = [
      ("run", JSONText.string(report.name)),
      ("origin", JSONText.string(report.origin)),
    ]
    switch report.basis {
    case .fleet(let fleet): members += facts(of: fleet)
    case .imported(let imported):
      members += [
        ("import_id", "\(imported.importID)"), ("source", JSONText.string(imported.source)),
        ("notes", "[" + imported.notes.map(JSONText.string).joined(separator: ", ") + "]"),
      ]
    }
    members += [
      ("guarantee", JSONText.array(Guarantee(report).paragraphs.map(JSONText.string), indent: "  ")),
      ("levels", JSONText.array(levels, indent: "  ")),
    ]
    return JSONText.object(members) + "\n"
  }

  private static func facts(of fleet: RunReport.Fleet) -> [(String, String)] {
    let settings = fleet.settings
    return [
      ("run_id", "\(fleet.runID)"), ("checkpoint", JSONText.string(fleet.checkpoint.name)),
      ("checkpoint_sha256", JSONText.string(fleet.checkpoint.digest)),
      ("dataset", JSONText.string(fleet.images.dataset)), ("dataset_sha256", JSONText.string(fleet.images.digest)),
      ("subset", JSONText.string(fleet.images.subset)), ("n0", "\(settings.n0)"), ("n", "\(settings.n)"),
      ("alpha", "\(settings.alpha)"), ("mode", JSONText.string(settings.mode.rawValue)),
      ("sampler", JSONText.string(settings.sampler.rawValue)), ("seed", "\(settings.seed)"),
      ("numerics", "[" + settings.numerics.map(JSONText.string).joined(separator: ", ") + "]"),
      ("targets", "[" + settings.targets.map(\.description).joined(separator: ", ") + "]"),
      ("epsilon", settings.epsilon.map(JSONText.number) ?? "null"),
    ]
  }

  private static func certificate(_ item: RunReport.Item, of level: RunReport.Level, _ mode: String) -> String {
    JSONText.object([
      ("idx", "\(item.imageIndex)"), ("label", "\(item.label)"), ("predict", item.predicted.map { "\($0)" } ?? "null"),
      ("top_class", item.topClass.map { "\($0)" } ?? "null"), ("radius", JSONText.number(item.radius ?? 0)),
      ("correct", "\(item.isCorrect)"), ("abstain", "\(item.radius == nil)"),
      ("p_lower", item.pLower.map(JSONText.number) ?? "null"), ("n_a", item.hits.map { "\($0)" } ?? "null"),
      ("n", "\(item.draws)"), ("time_seconds", item.seconds.map(JSONText.number) ?? "null"),
      ("mode", mode.isEmpty ? "null" : JSONText.string(mode)), ("planned_n", "\(level.draws)"),
      ("targets_reached", item.modeFacts.targetsReached.map { "[" + $0.joined(separator: ", ") + "]" } ?? "null"),
      ("runner_up_votes", item.modeFacts.runnerUpHits.map { "\($0)" } ?? "null"),
      ("p_upper", item.modeFacts.pUpper.map(JSONText.number) ?? "null"),
      ("p_value", item.modeFacts.pValue.map(JSONText.number) ?? "null"),
    ])
  }

  /// h:mm:ss.ffffff, as the published logs print a duration.
  static func clock(_ seconds: Double) -> String {
    let micros = Int((seconds * 1e6).rounded())
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let fraction = String(micros % 1_000_000)
    let whole = micros / 1_000_000
    return "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))."
      + String(repeating: "0", count: 6 - fraction.count) + fraction
  }
}

/// JSON in a fixed order, so that equal reports are equal bytes.
enum JSONText {
  static func object(_ members: [(String, String)]) -> String {
    "{" + members.map { "\(string($0)): \($1)" }.joined(separator: ", ") + "}"
  }

  /// One element per line.
  static func array(_ elements: [String], indent: String) -> String {
    elements.isEmpty ? "[]" : "[\n" + elements.map { indent + $0 }.joined(separator: ",\n") + "]"
  }

  /// The shortest decimal that reads back as the double.
  static func number(_ value: Double) -> String { value == 0 ? "0" : "\(value)" }

  static func string(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
