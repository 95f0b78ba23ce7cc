/// The records of a CSV text (RFC 4180): fields as values, and each record's own bytes so that it can be passed through.
struct CSVRecords {
  struct Record {
    /// Line the record starts on, from 1.
    let line: Int
    /// Field values, quotes undone.
    let fields: [String]
    /// The record as it stands in the text, without its line end.
    let text: Range<Int>
  }

  /// A quote that no other closes, or text after a closing quote; with its line.
  struct Malformed: Error {
    let line: Int
    let reason: String
  }

  let bytes: [UInt8]
  /// `\r\n` where the text uses it, else `\n`.
  let lineEnd: String
  private var place: Int
  private var line = 1

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    place = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    let firstEnd = bytes.firstIndex(of: UInt8(ascii: "\n"))
    lineEnd = firstEnd.map { $0 > 0 && bytes[$0 - 1] == UInt8(ascii: "\r") } == true ? "\r\n" : "\n"
  }

  /// The next record that is not an empty line; nil at the end.
  mutating func next() throws(Malformed) -> Record? {
    while place < bytes.count, isLineEnd(at: place) { skipLineEnd() }
    guard place < bytes.count else { return nil }
    let start = place
    let firstLine = line
    var fields: [String] = []
    while true {
      fields.append(try field())
      guard place < bytes.count, bytes[place] == UInt8(ascii: ",") else { break }
      place += 1
    }
    let record = Record(line: firstLine, fields: fields, text: start..<place)
    if place < bytes.count { skipLineEnd() }
    return record
  }

  private func isLineEnd(at index: Int) -> Bool {
    bytes[index] == UInt8(ascii: "\n")
      || bytes[index] == UInt8(ascii: "\r") && (index + 1 == bytes.count || bytes[index + 1] == UInt8(ascii: "\n"))
  }

  private mutating func skipLineEnd() {
    if bytes[place] == UInt8(ascii: "\r") { place += 1 }
    if place < bytes.count, bytes[place] == UInt8(ascii: "\n") { place += 1 }
    line += 1
  }

  private mutating func field() throws(Malformed) -> String {
    guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else {
      let start = place
      while place < bytes.count, bytes[place] != UInt8(ascii: ","), !isLineEnd(at: place) { place += 1 }
      return String(decoding: bytes[start..<place], as: UTF8.self)
    }
    let opened = line
    var value: [UInt8] = []
    place += 1
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      if byte == UInt8(ascii: "\"") {
        if place < bytes.count, bytes[place] == UInt8(ascii: "\"") {
          place += 1
        } else {
          guard place == bytes.count || bytes[place] == UInt8(ascii: ",") || isLineEnd(at: place) else {
            throw Malformed(line: line, reason: "text follows a closing quote; double the quotes inside a quoted field")
          }
          return String(decoding: value, as: UTF8.self)
        }
      } else if byte == UInt8(ascii: "\n") {
        line += 1
      }
      value.append(byte)
    }
    throw Malformed(line: opened, reason: "a quoted field is never closed; add the closing quote")
  }
}
