-- name: extend_lease
-- Keeps a range for its present holder, everything before unit $5 being posted. No row back means the lease is lost.
-- The answer tells what became of the range (hi), whether its votes are still wanted (over), and whether to end the turn:
-- the run stopped or was paused, or a more urgent one of kinds $6, not among $7, waits.
WITH kept AS (
  UPDATE rrcm.lease
     SET deadline_at = now() + make_interval(secs => $4),
         renewed_at = now(),
         lo = CASE WHEN duplicate THEN lo ELSE least(greatest(lo, $5), hi - 1) END
   WHERE lease_id = $1
     AND worker_id = $2
     AND epoch = $3
  RETURNING lease_id, item_id, lo, hi, duplicate
)
SELECT kept.hi,
       r.weight,
       i.state NOT IN ('open', 'claimed')
       OR kept.duplicate AND NOT EXISTS (
         SELECT
           FROM rrcm.lease l
          WHERE l.item_id = kept.item_id
            AND l.lease_id <> kept.lease_id
            AND l.lo < kept.hi
            AND l.hi > kept.lo
       ) AS over,
       r.state <> 'running'
       OR r.paused_at IS NOT NULL
       OR EXISTS (
         SELECT
           FROM rrcm.ready_run u
          WHERE u.priority > r.priority
            AND u.kind::text = ANY ($6::text[])
            AND u.run_id <> ALL ($7::bigint[])
       ) AS ends_turn
  FROM kept
  JOIN rrcm.item i USING (item_id)
  JOIN rrcm.run r USING (run_id)
