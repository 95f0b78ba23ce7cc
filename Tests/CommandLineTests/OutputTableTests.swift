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
}
