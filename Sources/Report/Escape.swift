/// Text that people chose — names of runs, classes, files — made safe for each format.
///
/// Control characters are dropped everywhere; line breaks become spaces.
package enum Escape {
  /// One line without control characters, and without marks that turn the reading direction around.
  package static func plain(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x09, 0x0A, 0x0D, 0x2028, 0x2029: out.append(" ")
      case ..<0x20, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: break
      default: out.append(scalar)
      }
    }
    return String(out)
  }

  /// Between tags and inside quoted attributes.
  static func html(_ text: String) -> String {
    replacing(text) { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      case "'": "&#39;"
      default: nil
      }
    }
  }

  /// In GitHub's Markdown, cells of tables included: shows the text itself, whatever it holds.
  static func markdown(_ text: String) -> String {
    let escaped = replacing(text) { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\\", "`", "*", "_", "{", "}", "[", "]", "#", "+", "!", "|", "~", "$", "@": "\\\(scalar)"
      default: nil
      }
    }
    // An address would become a link of its own.
    return escaped.split(separator: "://", omittingEmptySubsequences: false).joined(separator: "\\://")
  }

  /// In LaTeX's text mode.
  static func latex(_ text: String) -> String {
    replacing(text) { scalar in
      switch scalar {
      case "\\": "\\textbackslash{}"
      case "&", "%", "$", "#", "_", "{", "}": "\\\(scalar)"
      case "~": "\\textasciitilde{}"
      case "^": "\\textasciicircum{}"
      case "<": "\\textless{}"
      case ">": "\\textgreater{}"
      case "|": "\\textbar{}"
      case "\"": "\\char34{}"
      case "'": "\\char39{}"
      case "`": "\\char96{}"
      case "Φ": "$\\Phi$"
      case "−": "$-$"
      case "…": "\\dots{}"
      default: nil
      }
    }
  }

  /// One CSV field (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it.
  static func csv(_ text: String) -> String {
    var text = plain(text)
    if let first = text.unicodeScalars.first(where: { $0 != " " }), "=+-@".unicodeScalars.contains(first) {
      text = "'" + text
    }
    guard text.unicodeScalars.contains(where: { ",\"".unicodeScalars.contains($0) }) else { return text }
    var quoted = ""
    for character in text { quoted += character == "\"" ? "\"\"" : String(character) }
    return "\"\(quoted)\""
  }

  private static func replacing(_ text: String, _ replacement: (Unicode.Scalar) -> String?) -> String {
    var out = ""
    for scalar in plain(text).unicodeScalars {
      if let safe = replacement(scalar) { out += safe } else { out.unicodeScalars.append(scalar) }
    }
    return out
  }
}
