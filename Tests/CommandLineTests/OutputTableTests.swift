import Testing

@testable import CommandLine

@Suite("Output") struct OutputTableTests {
  private var table: OutputTable {
    var table = OutputTable(["name", "count", "share", "note"])
    table.add([.text("a,\"b\""), .int(7), .double(0.1), .none])
    table.add([.text("é"), .int(12345), .double(12), .bool(true)])
    return table
  }

  @Test("tables align numbers to the right and say nothing with a dash")
  func people() {
    #expect(
      table.text(.table) == """
        name   count   share  note
        a,"b"      7   0.100  –
        é      12345  12.000  yes

        """)
  }

  @Test("programs get full precision, stable columns and proper quoting")
  func programs() {
    #expect(table.text(.csv) == "name,count,share,note\n\"a,\"\"b\"\"\",7,0.1,\né,12345,12.0,true\n")
    #expect(table.text(.tsv) == "name\tcount\tshare\tnote\na,\"b\"\t7\t0.1\t\né\t12345\t12.0\ttrue\n")
    #expect(
      table.text(.json) == """
        [
          {"name": "a,\\"b\\"", "count": 7, "share": 0.1, "note": null},
          {"name": "é", "count": 12345, "share": 12, "note": true}
        ]

        """)
    #expect(OutputTable(["x"]).text(.json) == "[]\n")
  }

  @Test("proven bounds are shortened downwards for people and stay exact for programs")
  func bounds() {
    var table = OutputTable(["radius"])
    table.add([.bound(0.9999)])
    table.add([.bound(0.12345678901234567)])
    table.add([.bound(.infinity)])
    #expect(table.text(.table) == "radius\n 0.999\n 0.123\n   inf\n")
    #expect(table.text(.csv) == "radius\n0.9999\n0.12345678901234566\n\n")
    #expect(table.text(.json).contains("0.12345678901234566") && table.text(.json).contains("null"))
  }

  @Test("one thing with its fields reads from top to bottom, whole hashes in it, without the fields that have nothing")
  func records() {
    var table = OutputTable(RowLayout(columns: ["name", "digest", "error", "n"], isRecord: true))
    let digest = String(repeating: "ab", count: 32)
    table.add([.text("a"), .digest(digest), .none, .int(7 as Int64)])
    #expect(table.text(.table) == "name    a\ndigest  \(digest)\nn       7\n")
    #expect(table.text(.csv) == "name,digest,error,n\na,\(digest),,7\n")
    var list = OutputTable(["digest"])
    list.add([.digest(digest)])
    #expect(list.text(.table) == "digest\nabababababab\n" && list.text(.tsv) == "digest\n\(digest)\n")
  }
}
