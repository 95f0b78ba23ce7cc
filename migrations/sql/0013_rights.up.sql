-- 0013 rights: what a worker's login may do to what it shares with others goes through functions that look who asks; a worker
-- in quarantine adds nothing by hand either. Besides, views that count what may be claimed, and cheaper ways to see how far a
-- run is and to take over from a slower worker. Canaries are recorded anew; the one index is of few rows at any time.

-- Large images' canary batch has four images now, and the digests are of the whole batch: the next workers record theirs.
DELETE FROM rrcm.canary;

-- Who asks --------------------------------------------------------------------------------------------------------------

CREATE FUNCTION rrcm.acts_for(login name) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT $1 = session_user
         -- Whoever may do it without us; and everybody where "rrcm roles apply" was never run, as with tables.
         OR EXISTS (
              SELECT
                FROM pg_roles r
               WHERE r.rolname IN ('rrcm_coordinator', 'rrcm_owner')
                 AND pg_has_role(session_user, r.oid, 'USAGE'))
         OR NOT EXISTS (
              SELECT
                FROM pg_namespace n
                JOIN pg_roles r ON r.oid = n.nspowner
               WHERE n.nspname = 'rrcm'
                 AND r.rolname = 'rrcm_owner')
$$;
COMMENT ON FUNCTION rrcm.acts_for(name) IS
  'Whether this session may act for the workers of a login: its own, or all for coordinator and owner. For functions that run with their owner''s rights';

CREATE OR REPLACE FUNCTION rrcm.refuse_foreign_worker() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  -- The lock makes a quarantine that is under way be waited for, and then seen.
  PERFORM
     FROM rrcm.worker w
    WHERE w.worker_id = new.worker_id
      AND w.login = session_user
      AND w.quarantined_at IS NULL
      FOR KEY SHARE;
  IF FOUND OR pg_has_role(current_user, 'rrcm_coordinator', 'USAGE') OR pg_has_role(current_user, 'rrcm_owner', 'USAGE') THEN
    RETURN new;
  END IF;
  RAISE EXCEPTION 'login % may not add a row of % in the name of worker %', session_user, TG_TABLE_NAME, new.worker_id
    USING ERRCODE = 'insufficient_privilege',
          HINT = 'it is another login''s worker, or in quarantine: rrcm worker list';
END
$$;
COMMENT ON FUNCTION rrcm.refuse_foreign_worker() IS
  'Refuses rows in the name of another login''s worker or of one in quarantine, where rows are only ever added. "rrcm roles apply" makes its triggers: they cost less than row-level security with every vote';

-- Audits: what a worker changes of them -----------------------------------------------------------------------------------

CREATE FUNCTION rrcm.claim_audit(run_id bigint, worker_id bigint, epoch int, numerics_id text, deadline_seconds double precision,
                                 alone_seconds double precision, patience_seconds double precision)
  RETURNS TABLE (audit_id bigint, item_id bigint, phase smallint, chunk int, image_index int, sigma text)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  -- $1 run, ($2, $3) worker, $4 its numerics id, $5 seconds that it gets, $6 until a worker counts as alone, $7 patience.
  WITH holder AS MATERIALIZED (
    SELECT w.worker_id,
           w.epoch
      FROM rrcm.worker w
     WHERE w.worker_id = $2
       AND w.epoch = $3
       AND w.state = 'live'
       AND w.quarantined_at IS NULL
       AND rrcm.acts_for(w.login)
  ), company AS MATERIALIZED (
    -- One that lives counts whatever the caller says of patience.
    SELECT count(*) FILTER (WHERE w.numerics_ids @> ARRAY[$4]) > 0 AS known,
           count(*) FILTER (WHERE w.numerics_ids = '{}' AND w.state = 'live' AND w.beat_at > now() - make_interval(secs => $6)) > 0
             AS possible
      FROM rrcm.worker w
     WHERE w.worker_id <> $2
       AND w.quarantined_at IS NULL
       AND (w.state <> 'gone' OR w.beat_at > now() - make_interval(secs => $6))
  ), chosen AS MATERIALIZED (
    SELECT a.audit_id,
           i.image_index,
           i.sigma
      FROM rrcm.audit a
      JOIN rrcm.item i USING (item_id)
      JOIN rrcm.run r ON r.run_id = a.run_id
     CROSS JOIN company
     WHERE a.run_id = $1
       AND a.state IN ('due', 'disputed')
       AND r.state = 'running'
       AND r.paused_at IS NULL
       AND i.numerics_id = $4
       AND EXISTS (SELECT FROM holder)
       AND (a.deadline_at IS NULL
            OR a.deadline_at < now()
            OR NOT EXISTS (
                 SELECT FROM rrcm.worker h
                  WHERE h.worker_id = a.holder_id AND h.epoch = a.holder_epoch AND h.state <> 'gone'))
       AND NOT EXISTS (SELECT FROM rrcm.audit_computation c WHERE c.audit_id = a.audit_id AND c.worker_id = $2)
       AND (a.poster_id <> $2
            OR a.state = 'due'
               AND (NOT company.known AND (NOT company.possible OR a.due_at < now() - make_interval(secs => $6))
                    OR a.due_at < now() - make_interval(secs => $7)))
     ORDER BY a.state = 'due', a.audit_id
     LIMIT 1
       FOR UPDATE OF a SKIP LOCKED
  )
  UPDATE rrcm.audit a
     SET holder_id = holder.worker_id,
         holder_epoch = holder.epoch,
         deadline_at = now() + make_interval(secs => $5)
    FROM chosen, holder
   WHERE a.audit_id = chosen.audit_id
  RETURNING a.audit_id, a.item_id, a.phase, a.chunk, chosen.image_index, chosen.sigma::text
$$;
COMMENT ON FUNCTION rrcm.claim_audit(bigint, bigint, int, text, double precision, double precision, double precision) IS
  'Gives a worker of this login an open audit of a run; nothing when there is none for it';

CREATE FUNCTION rrcm.post_audit(audit_id bigint, worker_id bigint, epoch int, classes smallint[], votes int[],
                                compute_ms double precision)
  RETURNS TABLE (equal boolean, own boolean)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  -- $1 audit, ($2, $3) worker, $4 and $5 its votes, $6 the time that they took.
  WITH open AS MATERIALIZED (
    SELECT a.audit_id,
           a.run_id,
           a.item_id,
           a.phase,
           a.chunk,
           a.state,
           k.worker_id AS poster_id,
           k.classes,
           k.votes,
           k.classes = $4 AND k.votes = $5 AS equal
      FROM rrcm.audit a
      JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
     WHERE a.audit_id = $1
       AND a.state IN ('due', 'disputed')
       -- Who was given it, and nobody else, settles it; a result that differs is worth having whenever it comes.
       AND (a.holder_id = $2 AND a.holder_epoch = $3 OR k.classes <> $4 OR k.votes <> $5)
       AND EXISTS (
             SELECT
               FROM rrcm.worker w
              WHERE w.worker_id = $2
                AND w.quarantined_at IS NULL
                AND rrcm.acts_for(w.login))
       FOR UPDATE OF a
  ), computed AS (
    INSERT INTO rrcm.audit_computation (audit_id, worker_id, epoch, classes, votes, compute_ms)
    SELECT open.audit_id, $2, $3, $4, $5, $6
      FROM open
    ON CONFLICT ON CONSTRAINT audit_computation_pkey DO NOTHING
    RETURNING audit_id
  ), noted AS (
    UPDATE rrcm.audit a
       SET state = CASE
             WHEN open.state = 'disputed' OR NOT open.equal THEN 'disputed'::rrcm.audit_state
             WHEN open.poster_id = $2 THEN 'self_audited'
             ELSE 'agreed'
           END,
           disputed_at = CASE WHEN open.state = 'disputed' OR NOT open.equal THEN coalesce(a.disputed_at, now()) END,
           decided_at = CASE WHEN open.state = 'due' AND open.equal THEN now() END,
           result = CASE
             WHEN open.state = 'due' AND open.equal AND open.poster_id = $2 THEN
               'computed again by the same worker in other batches: no other was there'
             WHEN open.state = 'due' AND open.equal THEN 'another worker found the same votes'
           END,
           holder_id = NULL,
           holder_epoch = NULL,
           deadline_at = NULL
      FROM open
     WHERE a.audit_id = open.audit_id
  ), differing AS (
    INSERT INTO rrcm.disagreement (item_id, phase, chunk, stored_classes, stored_votes, posted_classes, posted_votes,
                                   worker_id, audit_id)
    SELECT open.item_id, open.phase, open.chunk, open.classes, open.votes, $4, $5, $2, open.audit_id
      FROM open
      JOIN computed USING (audit_id)
     WHERE NOT open.equal
    RETURNING item_id
  ), held AS (
    UPDATE rrcm.item i
       SET state = 'held',
           error = format('phase %s chunk %s was computed twice with different votes; arbitration goes on', open.phase, open.chunk)
      FROM open, differing
     WHERE i.item_id = differing.item_id
       AND i.state IN ('open', 'claimed', 'certified')
  ), told AS (
    INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
    SELECT 'disagreement', open.run_id, $2,
           format('item %s phase %s chunk %s: votes of an audit differ', open.item_id, open.phase, open.chunk)
      FROM open, differing
  )
  SELECT open.equal,
         open.poster_id = $2
    FROM open
$$;
COMMENT ON FUNCTION rrcm.post_audit(bigint, bigint, int, smallint[], int[], double precision) IS
  'Stores what a worker of this login found when it computed an audited chunk again; no row when the audit is not, or no more, its to settle';

CREATE FUNCTION rrcm.record_canary(checkpoint_digest text, numerics_id text, logits_digest text, worker_id bigint)
  RETURNS TABLE (recorded text, trusted boolean)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO rrcm.canary AS c (checkpoint_digest, numerics_id, logits_digest, first_worker_id)
  SELECT $1, $2, $3, w.worker_id
    FROM rrcm.worker w
   WHERE w.worker_id = $4
     AND w.quarantined_at IS NULL
     AND rrcm.acts_for(w.login)
  ON CONFLICT ON CONSTRAINT canary_pkey DO UPDATE
     SET second_worker_id = CASE
           WHEN c.second_worker_id IS NULL
            AND c.first_worker_id <> excluded.first_worker_id
            AND c.logits_digest = excluded.logits_digest THEN excluded.first_worker_id
           ELSE c.second_worker_id
         END,
         trusted_at = CASE
           WHEN c.second_worker_id IS NULL
            AND c.first_worker_id <> excluded.first_worker_id
            AND c.logits_digest = excluded.logits_digest THEN now()
           ELSE c.trusted_at
         END
  RETURNING c.logits_digest, c.trusted_at IS NOT NULL
$$;
COMMENT ON FUNCTION rrcm.record_canary(text, text, text, bigint) IS
  'What a worker of this login, not in quarantine, found for a canary: the first is recorded, a second one with the same digest makes it trusted. Returns what is recorded';

-- Trainings: how a run ends with its job ------------------------------------------------------------------------------------

CREATE FUNCTION rrcm.end_training(run_id bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE rrcm.run r
     SET state = CASE WHEN j.state = 'done' THEN 'done'::rrcm.run_state ELSE 'failed' END,
         error = CASE WHEN j.state = 'failed' THEN j.error ELSE r.error END,
         finished_at = now()
    FROM rrcm.job j
   WHERE r.run_id = $1
     AND j.run_id = r.run_id
     AND r.state = 'running'
     AND r.kind <> 'certify'
     AND j.state IN ('done', 'failed')
  RETURNING r.run_id
$$;
COMMENT ON FUNCTION rrcm.end_training(bigint) IS
  'Ends a training run as its job has ended, which only the job''s holder can do; null when it has not. Anybody may ask';

-- Leases that are not one's own ---------------------------------------------------------------------------------------------

CREATE INDEX lease_duplicate ON rrcm.lease (item_id) WHERE duplicate;

CREATE FUNCTION rrcm.return_leases(lease_ids bigint[]) RETURNS TABLE (leases bigint, gaps bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH ended AS MATERIALIZED (
    SELECT l.lease_id,
           l.item_id,
           i.run_id,
           i.state,
           l.lo,
           l.hi,
           l.duplicate
      FROM rrcm.lease l
      JOIN rrcm.item i USING (item_id)
      JOIN rrcm.worker w USING (worker_id)
     WHERE l.lease_id = ANY ($1)
       AND rrcm.acts_for(w.login)
       FOR UPDATE OF l SKIP LOCKED
  ), removed AS (
    DELETE FROM rrcm.lease l
     USING ended
     WHERE l.lease_id = ended.lease_id
  ), first_duplicate AS (
    SELECT DISTINCT ON (e.lease_id)
           d.lease_id
      FROM ended e
      JOIN rrcm.lease d USING (item_id)
     WHERE d.duplicate
       AND NOT e.duplicate
       AND d.lo < e.hi
       AND d.hi > e.lo
       AND d.lease_id <> ALL ($1)
     ORDER BY e.lease_id, d.lease_id
  ), heir AS (
    UPDATE rrcm.lease d
       SET duplicate = false
      FROM first_duplicate f
     WHERE d.lease_id = f.lease_id
       AND d.duplicate
    RETURNING d.item_id, d.lo, d.hi
  ), missing AS (
    SELECT e.run_id,
           e.item_id,
           unit,
           unit - row_number() OVER (PARTITION BY e.lease_id ORDER BY unit) AS island,
           e.lease_id
      FROM ended e
     CROSS JOIN LATERAL generate_series(e.lo, e.hi - 1) AS unit
     WHERE NOT e.duplicate
       AND e.state IN ('open', 'claimed')
       AND NOT EXISTS (SELECT FROM heir h WHERE h.item_id = e.item_id AND unit >= h.lo AND unit < h.hi)
       AND NOT EXISTS (
             SELECT
               FROM rrcm.chunk_count c
              WHERE c.item_id = e.item_id
                AND c.phase = (unit > 0)::int
                AND c.chunk = greatest(unit - 1, 0)
           )
  ), gaps AS (
    INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
    SELECT run_id, item_id, min(unit), max(unit) + 1
      FROM missing
     GROUP BY run_id, item_id, lease_id, island
    RETURNING gap_id
  )
  SELECT (SELECT count(*) FROM ended) AS leases,
         (SELECT count(*) FROM gaps) AS gaps;
END
$$;
COMMENT ON FUNCTION rrcm.return_leases(bigint[]) IS
  'Ends leases of this login''s workers and puts their units without votes back as gaps; another login''s duplicate takes its original''s place';

CREATE FUNCTION rrcm.end_voted_leases(item_id bigint, other_than bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH ended AS (
    DELETE FROM rrcm.lease l
     WHERE l.item_id = $1
       AND l.lease_id <> $2
       AND NOT EXISTS (
             SELECT
               FROM generate_series(l.lo, l.hi - 1) AS unit
              WHERE NOT EXISTS (
                      SELECT
                        FROM rrcm.chunk_count c
                       WHERE c.item_id = l.item_id
                         AND c.phase = (unit > 0)::int
                         AND c.chunk = greatest(unit - 1, 0)
                    )
           )
    RETURNING l.lease_id
  )
  SELECT count(*) FROM ended
$$;
COMMENT ON FUNCTION rrcm.end_voted_leases(bigint, bigint) IS
  'Ends the leases of an item, whoever holds them, whose every unit has votes, but for one; returns how many. Nothing is lost by it: anybody may ask';

CREATE FUNCTION rrcm.claim_tail(run_id bigint, worker_id bigint, epoch int, numerics_id text, units int,
                                deadline_seconds double precision, samples_per_second double precision, chunk_samples int,
                                at_seconds double precision)
  RETURNS TABLE (lease_id bigint, item_id bigint, lo int, hi int, duplicate boolean, image_index int, sigma text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  -- $1 run, ($2, $3) worker, $4 its numerics id, $5 units at most, $6 seconds that it gets, $7 its samples/s, $8 samples of a
  -- chunk, $9 the time to reckon with.
  RETURN QUERY
  WITH holder AS MATERIALIZED (
    SELECT w.worker_id,
           w.epoch,
           $8 / coalesce($7, (
             SELECT avg(a.samples_per_second) FROM rrcm.worker a
              WHERE a.state = 'live' AND a.numerics_ids @> ARRAY[$4]
           )) AS own_seconds
      FROM rrcm.worker w
     WHERE w.worker_id = $2
       AND w.epoch = $3
       AND w.state = 'live'
       AND w.quarantined_at IS NULL
       AND rrcm.acts_for(w.login)
  ), held AS MATERIALIZED (
    -- Few, whatever the run's size: leases, not items, are what is walked over.
    SELECT l.lease_id,
           l.item_id,
           l.lo,
           l.hi,
           l.hi - l.lo AS units,
           extract(epoch FROM coalesce(to_timestamp($9), now()) - l.renewed_at)::double precision AS silence,
           w.samples_per_second
      FROM rrcm.lease l
      JOIN rrcm.item i USING (item_id)
      JOIN rrcm.worker w USING (worker_id)
     WHERE NOT l.duplicate
       AND l.worker_id <> $2
       AND i.run_id = $1
       AND i.state IN ('open', 'claimed')
       AND coalesce(i.numerics_id, $4) = $4
       AND EXISTS (SELECT FROM holder)
       AND EXISTS (SELECT FROM rrcm.run r WHERE r.run_id = $1 AND r.state = 'running' AND r.paused_at IS NULL)
  ), worth AS MATERIALIZED (
    SELECT held.lease_id,
           held.lo,
           held.hi,
           take.units,
           all_holders.seconds_left
      FROM held
     CROSS JOIN holder
     CROSS JOIN LATERAL (
       -- A holder that has not measured its speed is expected to take as long again as it has taken.
       SELECT coalesce($8 / nullif(held.samples_per_second, 0), 2 * held.silence / held.units) AS seconds
     ) AS h
     CROSS JOIN LATERAL (
       -- Silent for more than two chunks and two seconds: it hangs, or is gone and not yet missed.
       SELECT held.samples_per_second IS NOT NULL AND held.silence > 2 * h.seconds + 2 AS hangs,
              CASE WHEN h.seconds > 0 THEN least(held.units - 1, floor(held.silence / h.seconds)) ELSE held.units - 1 END AS begun
     ) AS s
     CROSS JOIN LATERAL (
       SELECT CASE WHEN s.hangs THEN 'Infinity' ELSE greatest(0, held.units * h.seconds - held.silence) END AS seconds_left,
              (held.units - 1 - CASE WHEN s.hangs THEN 0 ELSE s.begun END)::int AS unstarted,
              greatest(0, (s.begun + 1) * h.seconds - held.silence) AS in_hand
     ) AS t
     CROSS JOIN LATERAL (
       -- With another computation of the same units under way, what counts is which is done first.
       SELECT least(t.seconds_left, min(
                CASE
                  WHEN d.worker_id = $2 THEN 0
                  ELSE greatest(0, (d.hi - d.lo) * $8 / nullif(dw.samples_per_second, 0)
                                - extract(epoch FROM coalesce(to_timestamp($9), now())
                                          - d.renewed_at)::double precision)
                END)) AS seconds_left,
              count(*) > 0 AS is_doubled
         FROM rrcm.lease d
         JOIN rrcm.worker dw ON dw.worker_id = d.worker_id
        WHERE d.item_id = held.item_id
          AND d.duplicate
          AND d.lo < held.hi
          AND d.hi > held.lo
     ) AS all_holders
     CROSS JOIN LATERAL (
       SELECT CASE
                WHEN t.unstarted = 0 THEN 0
                WHEN s.hangs THEN least(t.unstarted, $5)
                ELSE least(
                  t.unstarted, $5,
                  floor((t.unstarted * h.seconds + t.in_hand) / (h.seconds + holder.own_seconds))::int)
              END AS units
     ) AS take
     WHERE CASE
             WHEN t.unstarted > 0 THEN take.units > 0 AND NOT all_holders.is_doubled
             ELSE all_holders.seconds_left > 0.25
                  AND held.units * holder.own_seconds < 0.8 * all_holders.seconds_left
           END
     ORDER BY all_holders.seconds_left DESC, held.lease_id
     LIMIT 64
  ), slow AS MATERIALIZED (
    -- The worst first; one that somebody else is taking from, or that moved on meanwhile, is passed over.
    SELECT l.lease_id,
           l.item_id,
           l.lo,
           l.hi,
           worth.units
      FROM worth
      JOIN rrcm.lease l ON l.lease_id = worth.lease_id AND l.lo = worth.lo AND l.hi = worth.hi AND NOT l.duplicate
     ORDER BY worth.seconds_left DESC, l.lease_id
     LIMIT 1
       FOR UPDATE OF l SKIP LOCKED
  ), shortened AS (
    UPDATE rrcm.lease l
       SET hi = l.hi - slow.units
      FROM slow
     WHERE l.lease_id = slow.lease_id
       AND slow.units > 0
  ), leased AS (
    INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at, duplicate)
    SELECT slow.item_id,
           CASE WHEN slow.units > 0 THEN slow.hi - slow.units ELSE slow.lo END,
           slow.hi,
           holder.worker_id,
           holder.epoch,
           now() + make_interval(secs => $6),
           slow.units = 0
      FROM slow
     CROSS JOIN holder
    RETURNING lease_id, item_id, lo, hi, duplicate
  )
  SELECT leased.lease_id,
         leased.item_id,
         leased.lo,
         leased.hi,
         leased.duplicate,
         i.image_index,
         i.sigma::text
    FROM leased
    JOIN rrcm.item i USING (item_id);
END
$$;
COMMENT ON FUNCTION rrcm.claim_tail(bigint, bigint, int, text, int, double precision, double precision, int, double precision) IS
  'Gives a worker of this login part of what a slower one of any login holds: the unstarted end of a lease, or all of it as a duplicate';

-- What is removed for good ---------------------------------------------------------------------------------------------------

CREATE FUNCTION rrcm.delete_old_events(days int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH removed AS (
    DELETE FROM rrcm.event e
     WHERE e.at < now() - make_interval(days => greatest($1, 1))
       AND NOT EXISTS (SELECT FROM rrcm.run r WHERE r.run_id = e.run_id AND r.finished_at IS NULL)
    RETURNING e.event_id
  )
  SELECT count(*) FROM removed
$$;
COMMENT ON FUNCTION rrcm.delete_old_events(int) IS
  'Removes events older than so many days, at least one, those of unfinished runs left out; returns how many. The only way in which rrcm_coordinator removes events';

-- Views ------------------------------------------------------------------------------------------------------------------------

-- A gap of an item that is held waits for the item, not for a worker.

CREATE OR REPLACE VIEW rrcm.ready_run AS
SELECT r.run_id,
       r.kind,
       r.priority,
       r.weight
  FROM rrcm.run r
 WHERE r.state = 'running'
   AND r.finished_at IS NULL
   AND r.paused_at IS NULL
   AND CASE
         WHEN r.kind = 'certify' THEN
           EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open')
           OR EXISTS (
                SELECT
                  FROM rrcm.gap g
                  JOIN rrcm.item i USING (item_id)
                 WHERE g.run_id = r.run_id
                   AND i.state IN ('open', 'claimed'))
         ELSE EXISTS (SELECT FROM rrcm.job j WHERE j.run_id = r.run_id AND j.state = 'queued')
       END;

CREATE OR REPLACE VIEW rrcm.queue_depth AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.priority,
       coalesce(items.units, 0) + coalesce(gaps.units, 0) + coalesce(jobs.queued, 0) AS ready,
       coalesce(leases.units, 0) + coalesce(jobs.running, 0) AS leased,
       extract(epoch FROM now() - r.started_at)::double precision AS oldest_seconds,
       NOT EXISTS (
         SELECT
           FROM rrcm.worker w
          WHERE w.state = 'live'
            AND (r.numerics_ids = '{}' OR w.numerics_ids && r.numerics_ids)
       ) AS stranded,
       r.paused_at IS NOT NULL AS paused
  FROM rrcm.run r
  LEFT JOIN LATERAL (
    SELECT sum(coalesce(i.target_units, i.unit_count) - i.next_unit) AS units FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open'
  ) AS items ON true
  LEFT JOIN LATERAL (
    SELECT sum(g.hi - g.lo) AS units
      FROM rrcm.gap g
      JOIN rrcm.item i USING (item_id)
     WHERE g.run_id = r.run_id
       AND i.state IN ('open', 'claimed')
  ) AS gaps ON true
  LEFT JOIN LATERAL (
    SELECT sum(l.hi - l.lo) AS units FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id
  ) AS leases ON true
  LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.state = 'queued') AS queued, count(*) FILTER (WHERE j.state = 'running') AS running
      FROM rrcm.job j
     WHERE j.run_id = r.run_id
  ) AS jobs ON true
 WHERE r.state = 'running';
COMMENT ON COLUMN rrcm.queue_depth.ready IS
  'Units that may be claimed now: of runs that stop early those up to the next look, of items that are held none';

CREATE OR REPLACE VIEW rrcm.run_progress AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.state,
       r.priority,
       coalesce(j.step, items.finished, 0) AS done,
       coalesce(j.steps, items.total, 0) AS total,
       CASE WHEN j.job_id IS NULL THEN 'items' ELSE 'steps' END AS unit,
       (votes.certified + votes.under_way)::bigint AS samples,
       coalesce(items.held, 0) AS held,
       votes.disagreements,
       r.numerics_ids,
       r.checkpoint_digest,
       r.dataset_digest,
       r.depends_on,
       r.error,
       r.created_at,
       r.started_at,
       r.finished_at,
       extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::double precision AS elapsed_seconds,
       r.weight,
       CASE WHEN r.finished_at IS NULL THEN r.paused_at END AS paused_at,
       CASE WHEN r.finished_at IS NULL THEN r.stranded_at END AS stranded_at
  FROM rrcm.run r
  LEFT JOIN rrcm.job j USING (run_id)
  LEFT JOIN rrcm.certification p USING (run_id)
  LEFT JOIN LATERAL (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE i.state = 'certified') AS finished,
           count(*) FILTER (WHERE i.state = 'held') AS held
      FROM rrcm.item i
     WHERE i.run_id = r.run_id
    HAVING count(*) > 0
  ) AS items ON true
 CROSS JOIN LATERAL (
   SELECT CASE
            -- What a run draws for a certificate that never stops early needs no look at the certificates.
            WHEN p.looks = '{}' THEN coalesce(items.finished, 0) * (p.n0 + p.n)
            ELSE (
              SELECT coalesce(sum(c.n0 + c.n), 0)
                FROM rrcm.item i
                JOIN rrcm.certificate c USING (item_id)
               WHERE i.run_id = r.run_id
                 AND i.state = 'certified')
          END AS certified,
          -- An array, because the planner would else expect many items under way, and compile for it.
          (SELECT coalesce(sum(k.samples), 0)
             FROM rrcm.chunk_count k
            WHERE k.item_id = ANY (ARRAY(
                    SELECT i.item_id
                      FROM rrcm.item i
                     WHERE i.run_id = r.run_id
                       AND i.state <> 'certified'
                       AND i.next_unit > 0))) AS under_way,
          (SELECT count(*) FROM rrcm.disagreement d JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id)
            AS disagreements
 ) AS votes;

-- Choosing among runs ------------------------------------------------------------------------------------------------

-- The same images in another order, or a part of them, are no fresh start either.
CREATE OR REPLACE VIEW rrcm.similar_run AS
SELECT this.run_id,
       other.run_id AS other_run_id,
       other.name AS other_name,
       a.sigma
  FROM rrcm.run AS this
  JOIN rrcm.run AS other ON other.checkpoint_digest = this.checkpoint_digest
   AND other.dataset_digest = this.dataset_digest
   AND other.run_id <> this.run_id
   AND (
         other.image_indices = this.image_indices
         OR EXISTS (SELECT unnest(this.image_indices) INTERSECT SELECT unnest(other.image_indices))
       )
  JOIN rrcm.certification_sigma AS a ON a.run_id = this.run_id
  JOIN rrcm.certification_sigma AS b ON b.run_id = other.run_id
   AND b.sigma = a.sigma;

COMMENT ON VIEW rrcm.similar_run IS
  'Other certification runs of the same checkpoint on some of the same images at the same sigma: choosing among them afterwards voids alpha';
