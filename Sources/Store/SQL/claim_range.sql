-- name: claim_range
-- Leases up to $5 units of one item of run $1 to worker ($2, $3) of numerics id $4 until $6 seconds from now: returned
-- units first, then the first open item at or after item $7. No row back means there is nothing to claim. The CTEs are
-- materialised so that LIMIT bounds what is locked; NO KEY UPDATE does not collide with votes being posted.
WITH holder AS MATERIALIZED (
  SELECT w.worker_id,
         w.epoch
    FROM rrcm.worker w
   WHERE w.worker_id = $2
     AND w.epoch = $3
     AND w.state = 'live'
), returned AS MATERIALIZED (
  SELECT g.gap_id,
         g.item_id,
         g.lo,
         g.hi
    FROM rrcm.gap g
    JOIN rrcm.item i USING (item_id)
    JOIN rrcm.run r ON r.run_id = g.run_id
   WHERE g.run_id = $1
     AND r.state = 'running'
     AND coalesce(i.numerics_id, $4) = $4
     AND EXISTS (SELECT FROM holder)
   ORDER BY g.gap_id
   LIMIT 1
     FOR UPDATE OF g SKIP LOCKED
), used_up AS (
  DELETE FROM rrcm.gap g
   USING returned
   WHERE g.gap_id = returned.gap_id
     AND returned.hi - returned.lo <= $5
), shortened AS (
  UPDATE rrcm.gap g
     SET lo = returned.lo + $5
    FROM returned
   WHERE g.gap_id = returned.gap_id
     AND returned.hi - returned.lo > $5
), fresh AS MATERIALIZED (
  SELECT i.item_id,
         i.next_unit AS lo,
         least(i.next_unit + $5, i.unit_count) AS hi
    FROM rrcm.item i
    JOIN rrcm.run r USING (run_id)
   WHERE i.run_id = $1
     AND r.state = 'running'
     AND i.state = 'open'
     AND i.item_id >= $7
     AND coalesce(i.numerics_id, $4) = $4
     AND EXISTS (SELECT FROM holder)
     AND NOT EXISTS (SELECT FROM returned)
   ORDER BY i.item_id
   LIMIT 1
     FOR NO KEY UPDATE OF i SKIP LOCKED
), advanced AS (
  UPDATE rrcm.item i
     SET next_unit = fresh.hi,
         state = CASE WHEN fresh.hi = i.unit_count THEN 'claimed' ELSE i.state END,
         numerics_id = $4
    FROM fresh
   WHERE i.item_id = fresh.item_id
), range AS (
  SELECT item_id, lo, least(hi, lo + $5) AS hi FROM returned
   UNION ALL
  SELECT item_id, lo, hi FROM fresh
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
       i.image_index,
       i.sigma::text AS sigma
  FROM leased
  JOIN rrcm.item i USING (item_id)
