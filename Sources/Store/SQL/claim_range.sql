-- name: claim_range
-- Leases up to $5 units of one item of run $1 to worker ($2, $3) of numerics id $4 until $6 seconds from now: returned
-- units first, then the first open item at or after item $7. No row back means there is nothing to claim. When what is
-- left of the run becomes little, a worker of $8 samples/s gets no more than half its share of it, by speed (with more
-- than 20,000 such ranges left, little it is not, to a thousand workers twenty times as fast). Where the last holder died
-- the lease is to be computed alone, with nothing else in hand. The CTEs are materialised so that LIMIT bounds what is
-- locked; NO KEY UPDATE does not collide with votes being posted.
WITH holder AS MATERIALIZED (
  SELECT w.worker_id,
         w.epoch
    FROM rrcm.worker w
   WHERE w.worker_id = $2
     AND w.epoch = $3
     AND w.state = 'live'
     AND w.quarantined_at IS NULL
), returned AS MATERIALIZED (
  SELECT g.gap_id,
         g.item_id,
         g.lo,
         g.hi,
         g.suspect
    FROM rrcm.gap g
    JOIN rrcm.item i USING (item_id)
    JOIN rrcm.run r ON r.run_id = g.run_id
   WHERE g.run_id = $1
     AND r.state = 'running'
     AND r.paused_at IS NULL
     AND i.state IN ('open', 'claimed')
     AND coalesce(i.numerics_id, $4) = $4
     AND EXISTS (SELECT FROM holder)
   ORDER BY g.gap_id
   LIMIT 1
     FOR UPDATE OF g SKIP LOCKED
), fresh AS MATERIALIZED (
  SELECT i.item_id,
         i.next_unit AS lo,
         coalesce(i.target_units, i.unit_count) AS hi
    FROM rrcm.item i
    JOIN rrcm.run r USING (run_id)
   WHERE i.run_id = $1
     AND r.state = 'running'
     AND r.paused_at IS NULL
     AND i.state = 'open'
     AND i.item_id >= $7
     AND coalesce(i.numerics_id, $4) = $4
     AND EXISTS (SELECT FROM holder)
     AND NOT EXISTS (SELECT FROM returned)
   ORDER BY i.item_id
   LIMIT 1
     FOR NO KEY UPDATE OF i SKIP LOCKED
), last_open AS MATERIALIZED (
  -- Items are claimed in order, so the distance to the last one tells what is left without counting.
  SELECT i.item_id,
         coalesce(i.target_units, i.unit_count) AS unit_count
    FROM rrcm.item i
   WHERE i.run_id = $1
     AND i.state = 'open'
     AND i.item_id >= $7
   ORDER BY i.item_id DESC
   LIMIT 1
), ready AS MATERIALIZED (
  SELECT coalesce((SELECT sum(g.hi - g.lo) FROM (SELECT hi, lo FROM rrcm.gap WHERE run_id = $1 LIMIT 1000) AS g), 0)
         + coalesce((SELECT hi - lo FROM fresh), 0)
         + coalesce((SELECT greatest(0, l.item_id - c.item_id) * l.unit_count
                       FROM last_open l,
                            (SELECT item_id FROM fresh UNION ALL SELECT item_id FROM returned) AS c), 0) AS units
), size AS MATERIALIZED (
  -- A worker that has not yet measured its speed counts as an average one.
  SELECT CASE
           WHEN $8::double precision IS NULL OR (SELECT units FROM ready) > 20000::bigint * $5 THEN $5::int
           ELSE least($5::int, greatest(1, ceil((SELECT units FROM ready) / 2 * $8 / greatest($8, (
             SELECT avg(w.samples_per_second) * count(*)
               FROM rrcm.worker w
              WHERE w.state = 'live'
                AND w.numerics_ids @> ARRAY[$4::text]
           )))))::int
         END AS units
), used_up AS (
  DELETE FROM rrcm.gap g
   USING returned, size
   WHERE g.gap_id = returned.gap_id
     AND returned.hi - returned.lo <= size.units
), shortened AS (
  UPDATE rrcm.gap g
     SET lo = returned.lo + size.units
    FROM returned, size
   WHERE g.gap_id = returned.gap_id
     AND returned.hi - returned.lo > size.units
), advanced AS (
  UPDATE rrcm.item i
     SET next_unit = least(fresh.hi, fresh.lo + size.units),
         state = CASE WHEN fresh.hi <= fresh.lo + size.units THEN 'claimed' ELSE i.state END,
         numerics_id = $4
    FROM fresh, size
   WHERE i.item_id = fresh.item_id
), range AS (
  SELECT item_id, lo, least(hi, lo + size.units) AS hi FROM returned, size
   UNION ALL
  SELECT item_id, lo, least(hi, lo + size.units) FROM fresh, size
), leased AS (
  INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at)
  SELECT range.item_id, range.lo, range.hi, holder.worker_id, holder.epoch, now() + make_interval(secs => $6)
    FROM range
   CROSS JOIN holder
  RETURNING lease_id, item_id, lo, hi
)
SELECT leased.lease_id,
       leased.item_id,
       leased.lo,
       leased.hi,
       false AS duplicate,
       i.image_index,
       i.sigma::text AS sigma,
       coalesce((SELECT suspect FROM returned), false) AS alone
  FROM leased
  JOIN rrcm.item i USING (item_id)
