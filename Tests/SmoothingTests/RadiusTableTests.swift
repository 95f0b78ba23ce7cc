import Smoothing
import Testing

@Suite("Tables of counts")
struct RadiusTableTests {
  @Test("inputs are found in any order and everything else is passed through as it stands")
  func passesThrough() throws {
    let text = """
      name,alpha,draws,"note, quoted",hits,sigma
      a,0.001,100000,"says ""hi"", twice",99000,0.25
       b ,1e-3,100000,,50489,.5

      c,0.001,10,"two
      lines",10,1
      """
    let answer = try RadiusTable.answer(text)
    let lines = answer.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0] == #"name,alpha,draws,"note, quoted",hits,sigma,p_lower,radius,abstain"#)
    #expect(lines[1].hasPrefix(#"a,0.001,100000,"says ""hi"", twice",99000,0.25,0.98898"#) && lines[1].hasSuffix(",0"))
    #expect(lines[2].hasPrefix(" b ,1e-3,100000,,50489,.5,0.49999") && lines[2].hasSuffix(",0,1"))
    #expect(lines[3] == "c,0.001,10,\"two" && lines[4].hasPrefix("lines\",10,1,0.50118"))
    #expect(lines[5] == "" && lines.count == 6)
    let certificate = Certificate.certify(hits: 99_000, draws: 100_000, sigma: 0.25, alpha: 0.001)
    let fields = lines[1].split(separator: ",")
    #expect(fields[fields.count - 2] == NumberText.down17(try #require(certificate.radius)))
    #expect(fields[fields.count - 3] == NumberText.down17(certificate.pLower))
  }

  @Test("rows of every mode stand in one table; a row without a mode is fixed")
  func modes() throws {
    let text = """
      mode,runner_up_hits,hits,draws,sigma,alpha
      fixed,,900,1000,0.5,0.001
      ,7,900,1000,0.5,0.001
      sequential,,900,1000,0.5,0.001
      runner-up,50,400,1000,0.5,0.001
      runner-up,390,400,1000,0.5,0.001
      """
    let rows = try RadiusTable.answer(text).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let fixed = try #require(Certificate.certify(hits: 900, draws: 1000, sigma: 0.5, alpha: 0.001).radius)
    let sequential = try #require(Certificate.sequential(hits: 900, draws: 1000, sigma: 0.5, alpha: 0.001).radius)
    let second = try #require(
      Certificate.runnerUp(hits: 400, runnerUpHits: 50, draws: 1000, sigma: 0.5, alpha: 0.001).radius)
    #expect(rows[0].suffix(3) == ["p_lower", "radius", "abstain"])
    #expect(rows[1][7] == NumberText.down17(fixed) && rows[2][7] == NumberText.down17(fixed))
    #expect(rows[3][7] == NumberText.down17(sequential) && sequential < fixed)
    #expect(rows[4][7] == NumberText.down17(second) && rows[4][8] == "0")
    #expect(rows[5][7] == "0" && rows[5][8] == "1")
    let bad = "mode,hits,draws,sigma,alpha\nbest,9,10,1,0.1\nrunner-up,9,10,1,0.1\n"
    let failure = try #require(throws: RadiusTable.Failure.self) { try RadiusTable.answer(bad) }
    #expect(failure.problems.map { "\($0.line) \($0.column)" } == ["2 mode", "3 runner_up_hits"])
    #expect(failure.description.contains("write one of fixed, sequential, runner-up"))
  }

  @Test("a byte-order mark, carriage returns and header case do no harm")
  func dialects() throws {
    let answer = try RadiusTable.answer("\u{FEFF}Hits, draws ,SIGMA,alpha\r\n10,10,1,0.001\r\n")
    #expect(answer.hasPrefix("Hits, draws ,SIGMA,alpha,p_lower,radius,abstain\r\n10,10,1,0.001,0.5"))
    #expect(answer.hasSuffix(",0\r\n"))
  }

  @Test("every bad row is reported with line, column, value and remedy, all at once")
  func problems() throws {
    let text = """
      hits,draws,sigma,alpha
      5,10,0.25,0.001
      x,10,0.25,0.001
      11,10,0.25,0.001
      5,0,0.25,0.001
      5,10,-1,0.001
      5,10,0.25,0.999
      5,10,0.25
      ,4294967296,abc,zero
      """
    let failure = try #require(throws: RadiusTable.Failure.self) { try RadiusTable.answer(text) }
    let places = failure.problems.map { "\($0.line) \($0.column)" }
    #expect(
      places == ["3 hits", "4 hits", "5 draws", "6 sigma", "7 alpha", "8 ", "9 draws", "9 hits", "9 sigma", "9 alpha"])
    #expect(failure.description.contains("line 4, column hits: \"11\" is not a number of hits"))
    #expect(failure.description.contains("from 0 to the row's draws, 10"))
    #expect(failure.description.contains("line 8: 3 fields where the header has 4"))
  }

  @Test("a header that lacks, repeats or already has a column is refused before any row is answered")
  func headers() throws {
    func places(_ text: String) throws -> [String] {
      try #require(throws: RadiusTable.Failure.self) { try RadiusTable.answer(text) }.problems.map {
        "\($0.line) \($0.column)"
      }
    }
    #expect(try places("") == ["1 "])
    #expect(try places("hits,n,sigma\n1,2,3\n") == ["1 draws", "1 alpha"])
    #expect(try places("hits,hits,draws,sigma,alpha,radius\n") == ["1 hits", "1 radius"])
    #expect(try places("hits,draws,sigma,alpha\n1,2,\"3,4\n5,6\n") == ["2 "])
    #expect(try places("hits,draws,sigma,alpha,note\n1,2,3,0.1,\"a\"b\n") == ["2 "])
    #expect(try RadiusTable.answer("hits,draws,sigma,alpha\n") == "hits,draws,sigma,alpha,p_lower,radius,abstain\n")
  }

  @Test("a hundred thousand rows of equal counts are answered in seconds")
  func manyRows() throws {
    var text = "hits,draws,sigma,alpha\n"
    for row in 0..<100_000 { text += "\(90_000 + row % 500),100000,0.25,0.001\n" }
    let clock = ContinuousClock()
    var lines = 0
    let time = try clock.measure { lines = try RadiusTable.answer(text).utf8.count { $0 == UInt8(ascii: "\n") } }
    #expect(lines == 100_001)
    #expect(time < .seconds(30))
  }
}
