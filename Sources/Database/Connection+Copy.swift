internal import CLibPQ

extension Connection {
  /// Loads rows with COPY, the fastest way in: all or none of them.
  ///
  /// - Parameters:
  ///   - table: name, optionally with its schema (`rrcm.chunk_count`); quoted here, part by part.
  ///   - columns: names in the order of each row's values.
  ///   - rows: each with `columns.count` values.
  /// - Returns: the number of rows stored.
  package func copyIn(_ table: String, columns: [String], rows: [[Parameter]]) throws -> Int {
    let name = table.split(separator: ".", omittingEmptySubsequences: false).map { Connection.quoted(String($0)) }
    let list = columns.map(Connection.quoted).joined(separator: ", ")
    let sql = "COPY \(name.joined(separator: ".")) (\(list)) FROM STDIN"
    var lines: [[UInt8]] = []
    lines.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() { lines.append(try CopyText.line(row, columns: columns, number: index + 1)) }
    return try call { try $0.copyIn(sql, lines) }
  }

  /// Streams a `COPY … TO STDOUT` statement's output to `sink`, row by row, on this connection's thread.
  ///
  /// When `sink` throws, the statement is cancelled and the error passed on.
  package func copyOut(_ sql: String, _ sink: @Sendable ([UInt8]) throws -> Void) throws {
    try call { try $0.copyOut(sql, sink) }
  }
}

/// COPY's text format (PostgreSQL documentation, COPY, "Text Format").
enum CopyText {
  static func line(_ row: [Parameter], columns: [String], number: Int) throws -> [UInt8] {
    if row.count != columns.count {
      throw DatabaseError(
        code: "bad_parameter", message: "row \(number) has \(row.count) values for \(columns.count) columns",
        disposition: .permanent)
    }
    var line: [UInt8] = []
    for (index, value) in row.enumerated() {
      if index > 0 { line.append(UInt8(ascii: "\t")) }
      guard let text = try value.checkedText("row \(number), column \"\(columns[index])\"") else {
        line.append(contentsOf: #"\N"#.utf8)
        continue
      }
      for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "\\"): line.append(contentsOf: #"\\"#.utf8)
        case UInt8(ascii: "\t"): line.append(contentsOf: #"\t"#.utf8)
        case UInt8(ascii: "\n"): line.append(contentsOf: #"\n"#.utf8)
        case UInt8(ascii: "\r"): line.append(contentsOf: #"\r"#.utf8)
        default: line.append(byte)
        }
      }
    }
    line.append(UInt8(ascii: "\n"))
    return line
  }
}

extension Session {
  fileprivate func copyIn(_ sql: String, _ lines: [[UInt8]]) throws -> Int {
    _ = try executeSimple(sql)
    var batch: [UInt8] = []
    for line in lines {
      batch.append(contentsOf: line)
      if batch.count >= 65_536 {
        try put(batch, sql)
        batch.removeAll(keepingCapacity: true)
      }
    }
    try put(batch, sql)
    if PQputCopyEnd(pointer, nil) != 1 { throw lost(sql) }
    return try finish(sql).affectedRows
  }

  private func put(_ bytes: [UInt8], _ sql: String) throws {
    if bytes.isEmpty { return }
    let status = bytes.withUnsafeBytes {
      PQputCopyData(pointer, $0.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
    }
    if status != 1 { throw lost(sql) }
  }

  fileprivate func copyOut(_ sql: String, _ sink: ([UInt8]) throws -> Void) throws {
    let opened = try executeSimple(sql)
    guard opened.status == PGRES_COPY_OUT else {
      throw DatabaseError(
        code: "bad_parameter", message: "\(Session.label(sql)) is no COPY … TO STDOUT", disposition: .permanent)
    }
    var refusal: (any Error)?
    while true {
      var line: UnsafeMutablePointer<CChar>?
      let length = PQgetCopyData(pointer, &line, 0)
      if length == -2 { throw lost(sql) }
      guard length >= 0, let line else { break }
      defer { PQfreemem(line) }
      if refusal != nil { continue }
      do {
        try sink(Array(UnsafeRawBufferPointer(start: line, count: Int(length))))
      } catch {
        refusal = error
        cancelOwnStatement()
      }
    }
    do { _ = try finish(sql) } catch { throw refusal ?? error }
    if let refusal { throw refusal }
  }

  private func cancelOwnStatement() {
    guard let token = PQgetCancel(pointer) else { return }
    defer { PQfreeCancel(token) }
    var reason = [CChar](repeating: 0, count: 256)
    _ = PQcancel(token, &reason, Int32(reason.count))
  }

  /// Reads a COPY's final result and the nil after it.
  private func finish(_ sql: String) throws -> Result {
    let raw = PQgetResult(pointer)
    while let more = PQgetResult(pointer) { PQclear(more) }
    return try check(raw, sql)
  }
}
