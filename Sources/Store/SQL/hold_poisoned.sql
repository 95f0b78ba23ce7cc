-- name: hold_poisoned
-- Sets items of $1 aside at which $2 attempts have ended at one unit that has no votes to this day, with the last one's
-- words. An end while the worker held other leases too counts once at most: it may have been at one of those.
WITH counted AS (
  SELECT a.item_id,
         a.unit,
         count(*) FILTER (WHERE a.alone) + least(1, count(*) FILTER (WHERE NOT a.alone)) AS times,
         count(*) FILTER (WHERE a.outcome = 'died') AS deaths,
         (array_agg(a.error ORDER BY a.attempt_id DESC))[1] AS error,
         (array_agg(a.worker_id ORDER BY a.attempt_id DESC))[1] AS worker_id
    FROM rrcm.failed_attempt a
   WHERE a.item_id = ANY ($1::bigint[])
     AND a.retried_at IS NULL
     AND a.outcome IN ('died', 'failed')
     AND NOT EXISTS (
           SELECT
             FROM rrcm.chunk_count c
            WHERE c.item_id = a.item_id
              AND c.phase = (a.unit > 0)::int
              AND c.chunk = greatest(a.unit - 1, 0)
         )
   GROUP BY a.item_id, a.unit
), poison AS (
  SELECT DISTINCT ON (item_id)
         item_id,
         format(
           CASE WHEN deaths > 0 THEN 'the worker died %s times while computing it: %s' ELSE 'computing it failed %s times: %s' END,
           times, error) AS reason,
         worker_id
    FROM counted
   WHERE times >= $2
   ORDER BY item_id, times DESC
), held AS (
  UPDATE rrcm.item i
     SET state = 'held',
         error = poison.reason
    FROM poison
   WHERE i.item_id = poison.item_id
     AND i.state IN ('open', 'claimed')
  RETURNING i.item_id, i.run_id, i.error, poison.worker_id
), gaps AS (
  DELETE FROM rrcm.gap g
   USING held
   WHERE g.item_id = held.item_id
), leases AS (
  DELETE FROM rrcm.lease l
   USING held
   WHERE l.item_id = held.item_id
)
INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
SELECT 'item_poisoned', held.run_id, held.worker_id, format('item %s: %s', held.item_id, held.error)
  FROM held
RETURNING event_id
