import Lifecycle
import Testing

@Suite("A coordinator's candidacy") struct CandidacyTests {
  @Test("it stands ten times in a term, and renews three times while it leads")
  func pace() {
    var candidacy = Candidacy(term: .seconds(10))
    #expect(candidacy.move(at: .zero) == .stand)
    candidacy.answered(false, askedAt: .zero)
    #expect(candidacy.move(at: .milliseconds(999)) == .wait)
    #expect(candidacy.move(at: .seconds(1)) == .stand)
    candidacy.answered(true, askedAt: .seconds(1))
    #expect(candidacy.leads)
    #expect(candidacy.move(at: .seconds(4)) == .wait)
    #expect(candidacy.move(at: .seconds(5)) == .renew)
    // However long it was suspended: it asks, and the answer decides.
    #expect(candidacy.move(at: .seconds(5000)) == .renew)
    candidacy.answered(false, askedAt: .seconds(5000))
    #expect(!candidacy.leads)
    #expect(candidacy.move(at: .seconds(5001)) == .stand)
  }
}
