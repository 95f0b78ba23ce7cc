import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("Two of each", .serialized) struct LeadershipFleetTests {
  private static let term = 1.5

  private func startCoordinator(_ name: String, _ fleet: Fleet) throws {
    try fleet.start(name, ["coordinator", "start", "--term-seconds", "\(Self.term)"], environment: Fleet.signing(name))
  }

  /// The one of the named parts whose process leads now.
  private func leader(of names: [String], _ fleet: Fleet) async throws -> String {
    var leader: String?
    try await eventually("one leads") {
      let pid = try await fleet.store.parts().first { $0.leads }?.pid
      leader = names.first { pid != nil && fleet.pid($0).map(Int64.init) == pid }
      return leader != nil
    }
    return leader!
  }

  private func term(_ fleet: Fleet) async throws -> Int64 { try await fleet.number("SELECT term FROM rrcm.leadership") }

  /// Submits a run and waits until somebody has planned it. Returns how long that took, in seconds.
  private func plan(_ name: String, _ fleet: Fleet) async throws -> Double {
    let run = try await fleet.certify(name, n: 2000)
    let began = ContinuousClock.now
    try await eventually("run \(name) is planned") { try await fleet.progress(run).state == "running" }
    let took = ContinuousClock.now - began
    return Double(took.components.seconds) + Double(took.components.attoseconds) * 1e-18
  }

  @Test("two coordinators and two aggregators: one leads, the other takes over from a killed and from a frozen leader")
  func takeovers() async throws {
    try await withFleet { fleet async throws in
      try await fleet.noteWriters("run", "item", "leadership", "worker", "gap")
      let names = ["c1", "c2"]
      for name in names { try startCoordinator(name, fleet) }
      for name in ["g1", "g2"] { try fleet.start(name, ["aggregator", "start"]) }
      let first = try await leader(of: names, fleet)
      let firstTerm = try await term(fleet)
      try await eventually("all four show") { try await fleet.store.parts().count == 4 }
      _ = try await plan("calm", fleet)
      #expect(try await term(fleet) == firstTerm, "nobody stands against a live leader")
      let status = try await fleet.rrcm(["status"])
      #expect(status.contains("leads") && status.contains("term \(firstTerm)") && status.contains("stands by"))

      try await fleet.slay(first)
      let second = names.first { $0 != first }!
      let afterKill = try await plan("after-kill", fleet)
      #expect(try await leader(of: names, fleet) == second)
      #expect(try await term(fleet) == firstTerm + 1)
      // A term, a tenth of it, and time for a loaded machine.
      #expect(afterKill < Self.term * 1.1 + 5)

      try startCoordinator(first, fleet)
      try await eventually("it stands by") { fleet.log(first).contains("coordinator started") }
      fleet.signal(second, SIGSTOP)
      let afterFreeze = try await plan("after-freeze", fleet)
      #expect(try await leader(of: names, fleet) == first)
      #expect(try await term(fleet) == firstTerm + 2)
      #expect(afterFreeze < Self.term * 2.1 + 5)
      let before = try await fleet.written(by: second)
      #expect(before > 0, "its writes are seen")
      fleet.signal(second, SIGCONT)
      try await eventually("the deposed one stands by") { fleet.log(second).contains("deposed; standing by") }
      #expect(try await leader(of: names, fleet) == first)
      #expect(try await term(fleet) == firstTerm + 2)
      _ = try await plan("deposed", fleet)
      #expect(
        try await fleet.written(by: second) == before, "under its old term it wrote nothing, and none was given anew")

      // An orderly end hands over at once, and two aggregators store each certificate once.
      fleet.signal(first, SIGTERM)
      #expect(try await fleet.waitForExit(first) == 0)
      #expect(try await leader(of: names, fleet) == second)
      try fleet.startWorker("w")
      for name in ["calm", "after-kill", "after-freeze", "deposed"] {
        let run = try #require(try await fleet.store.run(name))
        try await fleet.waitUntilDone(run.id)
        #expect(
          try await fleet.number("SELECT count(*) FROM rrcm.item WHERE run_id = \(run.id)") == Int64(2 * Fleet.images))
      }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.certificate") == Int64(8 * Fleet.images))
      let repeated = try await fleet.number(
        "SELECT count(*) FROM (SELECT FROM rrcm.event WHERE kind = 'leader_elected' GROUP BY detail HAVING count(*) > 1) t"
      )
      #expect(repeated == 0, "no term was given twice")
    }
  }
}
