-- name: hold_poisoned
-- Sets items of $1 aside at which $2 attempts have ended badly since the newest vote of the item, or at one unit that has
-- no votes to this day, with the last one's words. An end while the worker held other leases too counts once at most: it
-- may have been at one of those.
WITH attempt AS (
  SELECT a.item_id,
         a.attempt_id,
         a.worker_id,
         a.outcome,
         a.alone,
         a.error,
         a.unit,
         a.at > coalesce((SELECT max(c.posted_at) FROM rrcm.chunk_count c WHERE c.item_id = a.item_id), '-infinity')
           AS is_newer,
         NOT EXISTS (
           SELECT
             FROM rrcm.chunk_count c
            WHERE c.item_id = a.item_id
              AND c.phase = (a.unit > 0)::int
              AND c.chunk = greatest(a.unit - 1, 0)
         ) AS is_open
    FROM rrcm.failed_attempt a
   WHERE a.item_id = ANY ($1::bigint[])
     AND a.retried_at IS NULL
     AND a.outcome IN ('died', 'failed')
), series AS (
  SELECT item_id, NULL::int AS unit, attempt_id, worker_id, outcome, alone, error FROM attempt WHERE is_newer
   UNION ALL
  SELECT item_id, unit, attempt_id, worker_id, outcome, alone, error FROM attempt WHERE is_open
), counted AS (
  SELECT item_id,
         count(*) FILTER (WHERE alone) + least(1, count(*) FILTER (WHERE NOT alone)) AS times,
         count(*) FILTER (WHERE outcome = 'died') AS deaths,
         (array_agg(error ORDER BY attempt_id DESC))[1] AS error,
         (array_agg(worker_id ORDER BY attempt_id DESC))[1] AS worker_id
    FROM series
   GROUP BY item_id, unit
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
