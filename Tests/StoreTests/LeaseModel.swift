/// The lease protocol as a pure transition function: what each statement of the queue does to items, gaps and leases, and
/// what the processes believe meanwhile.
///
/// Small enough to be explored in every order of events; a test replays explored traces on a real PostgreSQL and compares
/// every state. A process is a registration of a worker: one that was taken for dead goes on as a zombie, with its old
/// epoch and all it believes.
struct LeaseModel: Hashable, Sendable {
  /// A step that somebody takes.
  enum Step: Hashable, Sendable {
    case claim(worker: Int, units: Int)
    /// The database does it, the worker never hears of it.
    case claimUnheard(worker: Int, units: Int)
    /// Posts the next unit of a lease and extends it; with the last one, ends it.
    case post(belief: Int)
    /// The same, but the answer is lost: the process will post it again.
    case postUnheard(belief: Int)
    case handBack(belief: Int)
    case trim(belief: Int)
    /// A process hands back what the database says it holds and it does not know of.
    case recover(worker: Int, epoch: Int)
    case register(worker: Int)
    case declareGone(worker: Int)
    case rescue
    case expire(lease: Int)
    case split(worker: Int, lease: Int, units: Int)
    case duplicate(worker: Int, lease: Int)
    case pause
    case resume
    case cancel
    /// An item ends before its time, held or stopped early: what is held of it runs out.
    case stop(item: Int)
    case heal(item: Int)
    case certify(item: Int)
  }

  /// Bugs that the explorer must find.
  enum Fault: Hashable, Sendable {
    /// Statements ask for the worker, not for its epoch.
    case noEpochCheck
    /// A lease is ended by its range, as a queue does that deletes by message.
    case finishesByRange
  }

  enum ItemState: Hashable, Sendable { case open, claimed, certified, ended }

  struct Item: Hashable, Sendable {
    var next = 0
    var state = ItemState.open
    var voted: Set<Int> = []
  }

  struct Gap: Hashable, Sendable {
    var item: Int
    var lo: Int
    var hi: Int
  }

  struct Lease: Hashable, Sendable {
    var id: Int
    var item: Int
    var lo: Int
    var hi: Int
    var worker: Int
    var epoch: Int
    var duplicate = false

    func overlaps(_ other: Lease) -> Bool { item == other.item && lo < other.hi && hi > other.lo }
  }

  /// A lease as its holder sees it.
  struct Belief: Hashable, Sendable {
    var lease: Int
    var item: Int
    var lo: Int
    var unit: Int
    var upperBound: Int
    var worker: Int
    var epoch: Int
  }

  struct Worker: Hashable, Sendable {
    var epoch = 1
    var isLive = true
  }

  let unitCount: Int
  let fault: Fault?
  var items: [Item]
  /// In the order they were made, which is the order they are claimed in.
  var gaps: [Gap] = []
  var leases: [Lease] = []
  var workers: [Worker]
  var beliefs: [Belief] = []
  var isPaused = false
  var isCancelled = false
  fileprivate(set) var nextLease = 1
  /// What went wrong in the last step; a correct protocol never says anything here.
  var violation: String?

  init(workers: Int, items: Int, units: Int, fault: Fault? = nil) {
    unitCount = units
    self.fault = fault
    self.items = Array(repeating: Item(), count: items)
    self.workers = Array(repeating: Worker(), count: workers)
  }

  private var runs: Bool { !isPaused && !isCancelled }

  private func isWanted(_ item: Int) -> Bool { items[item].state == .open || items[item].state == .claimed }

  private func owns(_ lease: Lease, worker: Int, epoch: Int) -> Bool {
    lease.worker == worker && (lease.epoch == epoch || fault == .noEpochCheck)
  }

  // MARK: What can happen

  /// Every step that can be taken now.
  func steps(registrations: Int, claimSizes: [Int] = [1, 2]) -> [Step] {
    var steps: [Step] = []
    for (number, worker) in workers.enumerated() {
      for units in claimSizes where worker.isLive && claimable != nil && runs {
        steps.append(.claim(worker: number, units: units))
        steps.append(.claimUnheard(worker: number, units: units))
      }
      if worker.isLive { steps.append(.declareGone(worker: number)) }
      if worker.epoch < registrations { steps.append(.register(worker: number)) }
      for epoch in 1...worker.epoch where unknown(worker: number, epoch: epoch).isEmpty == false {
        steps.append(.recover(worker: number, epoch: epoch))
      }
      if worker.isLive, runs, claimable == nil {
        for lease in leases where !lease.duplicate && lease.worker != number && isWanted(lease.item) {
          let covered = leases.contains { $0.duplicate && $0.overlaps(lease) }
          if lease.hi - lease.lo > 1, !covered { steps.append(.split(worker: number, lease: lease.id, units: 1)) }
          if lease.hi - lease.lo == 1, !covered { steps.append(.duplicate(worker: number, lease: lease.id)) }
        }
      }
    }
    for index in beliefs.indices {
      steps += [.post(belief: index), .postUnheard(belief: index), .handBack(belief: index), .trim(belief: index)]
    }
    if !orphans.isEmpty { steps.append(.rescue) }
    steps += leases.map { .expire(lease: $0.id) }
    if !isCancelled { steps += [isPaused ? .resume : .pause, .cancel] }
    for item in items.indices {
      if isWanted(item), items[item].voted.contains(0) { steps.append(.stop(item: item)) }
      if !lost(item).isEmpty { steps.append(.heal(item: item)) }
      if isComplete(item), !isCancelled { steps.append(.certify(item: item)) }
    }
    return steps
  }

  /// Where the next claim would take something from.
  private var claimable: Int? {
    gaps.first { isWanted($0.item) }?.item ?? items.indices.first { items[$0].state == .open }
  }

  private var orphans: [Lease] { leases.filter { !workers[$0.worker].isLive || workers[$0.worker].epoch != $0.epoch } }

  private func unknown(worker: Int, epoch: Int) -> [Lease] {
    let known = Set(beliefs.filter { $0.worker == worker && $0.epoch == epoch }.map(\.lease))
    return leases.filter { owns($0, worker: worker, epoch: epoch) && !known.contains($0.id) }
  }

  private func isFree(_ item: Int) -> Bool {
    items[item].state == .claimed && !leases.contains { $0.item == item && !$0.duplicate }
      && !gaps.contains { $0.item == item }
  }

  /// Units that nobody holds, that nothing waits for and that have no votes.
  private func lost(_ item: Int) -> [Int] {
    isFree(item) ? (0..<unitCount).filter { !items[item].voted.contains($0) } : []
  }

  private func isComplete(_ item: Int) -> Bool { isFree(item) && items[item].voted.count == unitCount }

  // MARK: What it does

  func after(_ step: Step) -> LeaseModel {
    var next = self
    next.violation = nil
    next.take(step)
    if next.violation == nil { next.violation = next.broken }
    return next
  }

  private mutating func take(_ step: Step) {
    switch step {
    case .claim(let worker, let units):
      guard let lease = claim(worker, units) else { return }
      believe(lease)
    case .claimUnheard(let worker, let units): _ = claim(worker, units)
    case .post(let index): post(index, heard: true)
    case .postUnheard(let index): post(index, heard: false)
    case .handBack(let index):
      let belief = beliefs.remove(at: index)
      end(leases.filter { $0.id == belief.lease }, by: (belief.worker, belief.epoch))
    case .trim(let index): trim(index)
    case .recover(let worker, let epoch): end(unknown(worker: worker, epoch: epoch), by: (worker, epoch))
    case .register(let worker):
      workers[worker].epoch += 1
      workers[worker].isLive = true
    case .declareGone(let worker): workers[worker].isLive = false
    case .rescue: end(orphans, by: nil)
    case .expire(let id): end(leases.filter { $0.id == id }, by: nil)
    case .split(let worker, let id, let units):
      let at = leases.firstIndex { $0.id == id }!
      let hi = leases[at].hi
      leases[at].hi -= units
      believe(issue(leases[at].item, hi - units, hi, worker))
    case .duplicate(let worker, let id):
      let lease = leases.first { $0.id == id }!
      believe(issue(lease.item, lease.lo, lease.hi, worker, duplicate: true))
    case .pause: isPaused = true
    case .resume: isPaused = false
    case .cancel:
      isCancelled = true
      leases.removeAll { [items] in items[$0.item].state == .open || items[$0.item].state == .claimed }
      gaps = []
      for item in items.indices where isWanted(item) { items[item].state = .ended }
    case .stop(let item): items[item].state = .ended
    case .heal(let item): gaps += islands(item, lost(item))
    case .certify(let item): items[item].state = .certified
    }
  }

  private mutating func issue(_ item: Int, _ lo: Int, _ hi: Int, _ worker: Int, duplicate: Bool = false) -> Lease {
    let lease = Lease(
      id: nextLease, item: item, lo: lo, hi: hi, worker: worker, epoch: workers[worker].epoch, duplicate: duplicate)
    nextLease += 1
    leases.append(lease)
    return lease
  }

  private mutating func believe(_ lease: Lease) {
    beliefs.append(
      Belief(
        lease: lease.id, item: lease.item, lo: lease.lo, unit: lease.lo, upperBound: lease.hi, worker: lease.worker,
        epoch: lease.epoch))
  }

  private mutating func claim(_ worker: Int, _ units: Int) -> Lease? {
    guard workers[worker].isLive, runs else { return nil }
    if let index = gaps.firstIndex(where: { isWanted($0.item) }) {
      let gap = gaps[index]
      let hi = min(gap.hi, gap.lo + units)
      if hi == gap.hi { gaps.remove(at: index) } else { gaps[index].lo = hi }
      return issue(gap.item, gap.lo, hi, worker)
    }
    guard let item = items.firstIndex(where: { $0.state == .open }) else { return nil }
    let lo = items[item].next
    let hi = min(unitCount, lo + units)
    items[item].next = hi
    if hi == unitCount { items[item].state = .claimed }
    return issue(item, lo, hi, worker)
  }

  private mutating func post(_ index: Int, heard: Bool) {
    let belief = beliefs[index]
    items[belief.item].voted.insert(belief.unit)
    let next = belief.unit + 1
    let finishes = next >= belief.upperBound
    let at = leases.firstIndex { lease in
      if finishes, fault == .finishesByRange {
        return lease.item == belief.item && lease.lo <= belief.unit && lease.hi == belief.upperBound
      }
      return lease.id == belief.lease && owns(lease, worker: belief.worker, epoch: belief.epoch)
    }
    var bound = belief.upperBound
    var isOver = at == nil
    if let at {
      let lease = leases[at]
      if finishes, lease.hi <= next {
        note(ending: lease, by: (belief.worker, belief.epoch))
        leases.remove(at: at)
        leases.removeAll {
          $0.overlaps(lease) && $0.hi <= lease.hi && ($0.duplicate || $0.lo >= lease.lo)
        }
        isOver = true
      } else if !finishes {
        bound = min(bound, lease.hi)
        if !lease.duplicate { leases[at].lo = min(max(lease.lo, next), lease.hi - 1) }
        if !isWanted(lease.item)
          || lease.duplicate && !leases.contains(where: { $0.id != lease.id && $0.overlaps(lease) })
        {
          // The holder hands it back, in its next statement.
          if heard { end([leases[at]], by: (belief.worker, belief.epoch)) }
          isOver = heard
        }
      } else {
        isOver = true
      }
    }
    guard heard else { return }
    if isOver {
      beliefs.remove(at: index)
    } else {
      beliefs[index].unit = next
      beliefs[index].upperBound = bound
      // All of it that is left to this holder is posted already: it ends the lease.
      if next >= bound, let at = leases.firstIndex(where: { $0.id == belief.lease }) {
        leases.remove(at: at)
        beliefs.remove(at: index)
      }
    }
  }

  private mutating func trim(_ index: Int) {
    let belief = beliefs[index]
    guard
      let at = leases.firstIndex(where: {
        $0.id == belief.lease && owns($0, worker: belief.worker, epoch: belief.epoch)
      })
    else { return }
    let lease = leases[at]
    let keep = max(belief.unit + 1, lease.lo + 1)
    let isCovered = leases.contains { $0.duplicate && $0.id != lease.id && $0.overlaps(lease) }
    guard lease.hi > keep, !isCovered else { return }
    leases[at].hi = keep
    beliefs[index].upperBound = min(belief.upperBound, keep)
    if !lease.duplicate, isWanted(lease.item) { gaps.append(Gap(item: lease.item, lo: keep, hi: lease.hi)) }
  }

  /// Ends leases; their units without votes go back, unless a duplicate takes their place.
  private mutating func end(_ ended: [Lease], by actor: (worker: Int, epoch: Int)?) {
    let ids = Set(ended.map(\.id))
    for lease in ended { note(ending: lease, by: actor) }
    leases.removeAll { ids.contains($0.id) }
    for lease in ended where !lease.duplicate {
      var covered: Set<Int> = []
      if let heir = leases.firstIndex(where: { $0.duplicate && $0.overlaps(lease) }) {
        leases[heir].duplicate = false
        covered = Set(leases[heir].lo..<leases[heir].hi)
      }
      guard isWanted(lease.item) else { continue }
      gaps += islands(
        lease.item, (lease.lo..<lease.hi).filter { !items[lease.item].voted.contains($0) && !covered.contains($0) })
    }
  }

  private func islands(_ item: Int, _ units: [Int]) -> [Gap] {
    units.reduce(into: []) { gaps, unit in
      if gaps.last?.hi == unit {
        gaps[gaps.count - 1].hi = unit + 1
      } else {
        gaps.append(Gap(item: item, lo: unit, hi: unit + 1))
      }
    }
  }

  // MARK: What must hold

  /// A worker may end its own leases; a rescue, and the first result of two, may end others'.
  private mutating func note(ending lease: Lease, by actor: (worker: Int, epoch: Int)?) {
    guard let actor, actor != (lease.worker, lease.epoch) else { return }
    violation =
      "worker \(actor.worker) of epoch \(actor.epoch) ended lease \(lease.id) of worker \(lease.worker), epoch"
      + " \(lease.epoch)"
  }

  private var broken: String? {
    for (number, item) in items.enumerated() where isWanted(number) {
      var holders = (0..<unitCount).map { _ in 0 }
      for unit in item.next..<max(item.next, unitCount) where item.state == .open { holders[unit] += 1 }
      for gap in gaps where gap.item == number { for unit in gap.lo..<gap.hi { holders[unit] += 1 } }
      for lease in leases where lease.item == number && !lease.duplicate {
        for unit in lease.lo..<lease.hi { holders[unit] += 1 }
      }
      for unit in 0..<unitCount {
        if holders[unit] == 0, !item.voted.contains(unit) { return "unit \(unit) of item \(number) is lost" }
        if holders[unit] > 1 { return "unit \(unit) of item \(number) is handed out \(holders[unit]) times" }
      }
    }
    return nil
  }

  /// What is left when every process dies and one new worker does all the rest: nothing, in a correct protocol.
  var leftovers: [Int] {
    if isCancelled { return [] }
    var model = self
    model.isPaused = false
    model.beliefs = []
    for worker in model.workers.indices { model.workers[worker].isLive = false }
    model.end(model.orphans, by: nil)
    model.workers.append(Worker())
    let fresh = model.workers.count - 1
    while let lease = model.claim(fresh, unitCount) {
      for unit in lease.lo..<lease.hi { model.items[lease.item].voted.insert(unit) }
      model.leases.removeAll { $0.id == lease.id }
    }
    for item in model.items.indices where model.isComplete(item) { model.items[item].state = .certified }
    return model.items.indices.filter { model.isWanted($0) }
  }

  /// The same state with leases numbered from 1 in their order, so that states that differ in numbers alone are one.
  var canonical: LeaseModel {
    var model = self
    let ids = Set(leases.map(\.id) + beliefs.map(\.lease)).sorted()
    let places = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0 + 1) })
    for i in leases.indices { model.leases[i].id = places[leases[i].id]! }
    for i in beliefs.indices { model.beliefs[i].lease = places[beliefs[i].lease]! }
    model.nextLease = ids.count + 1
    return model
  }
}
