-- name: finish_lease
-- Ends a lease whose every unit before $4 is posted, if that is all of it; somebody else's is never touched, and one of a worker
-- set aside, whose votes were not stored, goes back another way. Where the
-- same units were held twice the first result wins: the other lease ends too. The answer is as extend_lease's.
WITH finished AS MATERIALIZED (
  DELETE FROM rrcm.lease
   WHERE lease_id = $1
     AND worker_id = $2
     AND epoch = $3
     AND hi <= $4
     AND EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $2 AND w.quarantined_at IS NULL)
  RETURNING lease_id, item_id, lo, hi
), others AS MATERIALIZED (
  -- Seldom there are any, and they may be another login's.
  SELECT rrcm.end_voted_leases(f.item_id, f.lease_id) AS count
    FROM finished f
   WHERE EXISTS (
           SELECT
             FROM rrcm.lease l
            WHERE l.item_id = f.item_id
              AND l.lease_id <> f.lease_id
              AND l.lo < f.hi
              AND l.hi > f.lo
         )
)
SELECT f.hi,
       coalesce((SELECT sum(count) FROM others), 0) AS others,
       r.weight,
       false AS over,
       r.state <> 'running'
       OR r.paused_at IS NOT NULL
       OR EXISTS (
         SELECT
           FROM rrcm.ready_run u
          WHERE u.priority > r.priority
            AND u.kind::text = ANY ($5::text[])
            AND u.run_id <> ALL ($6::bigint[])
       ) AS ends_turn
  FROM finished f
  JOIN rrcm.item i USING (item_id)
  JOIN rrcm.run r USING (run_id)
