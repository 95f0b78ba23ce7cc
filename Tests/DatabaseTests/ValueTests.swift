import Database
import TestSupport
import Testing

@Suite("Values on their way to PostgreSQL and back")
struct ValueTests {
  /// One statement that returns `$1` cast to a type.
  private func echo(_ connection: Connection, _ value: Parameter, as type: String) async throws -> Row {
    try await connection.query("SELECT $1::\(type) AS value", [value])[0]
  }

  @Test("every parameter type reads back as it was sent")
  func roundTrip() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      for number in [0, 1, -1, Int64.max, Int64.min] {
        #expect(try await echo(connection, .int(number), as: "bigint").int("value") == number)
      }
      for truth in [true, false] {
        #expect(try await echo(connection, .bool(truth), as: "boolean").bool("value") == truth)
      }
      let texts = ["", " ", "NULL", "\\N", "{}", "a\"b'c\\d", "tab\tline\nreturn\r", "héllo ∂ 日本 👩‍🔬", "\u{1}\u{7f}"]
      for text in texts {
        #expect(try await echo(connection, .text(text), as: "text").text("value") == text)
      }
      let bytes = [[], [0], Array(0...255)] as [[UInt8]]
      for value in bytes {
        #expect(try await echo(connection, .bytes(value), as: "bytea").bytes("value") == value)
      }
      #expect(try await echo(connection, .json(#"{"a": [1, "é"]}"#), as: "jsonb").text("value") == #"{"a": [1, "é"]}"#)
      #expect(try await echo(connection, .ints([]), as: "int[]").ints("value") == [])
      #expect(
        try await echo(connection, .ints([1, -2, .max, .min]), as: "int[]").ints("value") == [1, -2, .max, .min])
      #expect(try await echo(connection, .ints([7, 8]), as: "smallint[]").ints("value") == [7, 8])
      #expect(try await echo(connection, .bigints([.max, .min]), as: "bigint[]").bigints("value") == [.max, .min])
      #expect(try await echo(connection, .texts(texts), as: "text[]").texts("value") == texts)
      #expect(try await echo(connection, .null, as: "int").isNull("value"))
    }
  }

  @Test("float64 values keep every bit")
  func doubles() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      var generator = SystemRandomNumberGenerator()
      var values: [Double] = [
        0, -0.0, 0.1, 1 / 3, .pi, .leastNonzeroMagnitude, -.leastNormalMagnitude, .greatestFiniteMagnitude, .infinity,
        -.infinity, 1e22, 123_456_789.123_456_79,
      ]
      for _ in 0..<200 {
        let value = Double(bitPattern: generator.next())
        if !value.isNaN { values.append(value) }
      }
      let echoed = try await connection.query("SELECT $1::float8[] AS all", [.doubles(values)])[0].doubles("all")
      #expect(echoed.map(\.bitPattern) == values.map(\.bitPattern))
      for value in values.prefix(12) {
        let row = try await echo(connection, .double(value), as: "float8")
        #expect(try row.double("value").bitPattern == value.bitPattern)
      }
      #expect(try await echo(connection, .double(.nan), as: "float8").double("value").isNaN)
      #expect(try await echo(connection, .doubles([.nan, 1]), as: "float8[]").doubles("value")[0].isNaN)
    }
  }

  @Test(
    "text with U+0000 is refused by name of the parameter, not cut short",
    arguments: [.text("a\0b"), .texts(["ok", "\0"]), .json("\"\0\"")] as [Parameter])
  func nulIsRefused(_ value: Parameter) async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let error = await #expect(throws: DatabaseError.self) {
        try await database.connection().query("SELECT $1::text AS a, $2::text AS b", [.text("fine"), value])
      }
      #expect(error?.code == "bad_parameter")
      #expect(error?.message.contains("$2") == true)
    }
  }

  @Test("reading a column wrongly names the column, the text found and its type")
  func mismatches() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let row = try await database.connection().query(
        "SELECT 'abc'::text AS word, NULL::int AS nothing, 1.5::numeric AS half, ARRAY[1, NULL] AS holes")[0]
      var error = #expect(throws: DatabaseError.self) { try row.int("word") }
      #expect(error?.message == "column \"word\" should hold a 64-bit integer, found \"abc\" of type text")
      error = #expect(throws: DatabaseError.self) { try row.int("nothing") }
      #expect(error?.message == "column \"nothing\" should hold a 64-bit integer, found NULL of type integer")
      error = #expect(throws: DatabaseError.self) { try row.int("half") }
      #expect(error?.message.contains("\"1.5\" of type numeric") == true)
      error = #expect(throws: DatabaseError.self) { try row.ints("holes") }
      #expect(error?.message.contains("{1,NULL}") == true)
      error = #expect(throws: DatabaseError.self) { try row.text("absent") }
      #expect(error?.message == "the result has no column \"absent\", only word, nothing, half, holes")
      #expect(error?.disposition == .permanent)
      #expect(try row.intOrNil("nothing") == nil)
      #expect(try row.double("half") == 1.5)
    }
  }
}
