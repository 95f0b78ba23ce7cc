-- name: cancel_run
-- Ends a run and takes its work out of the queue. Votes and certificates stay.
WITH ended AS (
  UPDATE rrcm.run
     SET state = 'cancelled',
         finished_at = now()
   WHERE run_id = $1
     AND finished_at IS NULL
  RETURNING run_id
), items AS (
  UPDATE rrcm.item i
     SET state = 'cancelled'
    FROM ended
   WHERE i.run_id = ended.run_id
     AND i.state <> 'certified'
  RETURNING i.item_id
), leases AS (
  DELETE FROM rrcm.lease l
   USING items
   WHERE l.item_id = items.item_id
), gaps AS (
  DELETE FROM rrcm.gap g
   USING ended
   WHERE g.run_id = ended.run_id
), jobs AS (
  UPDATE rrcm.job j
     SET state = 'cancelled',
         worker_id = NULL,
         epoch = NULL,
         deadline_at = NULL,
         finished_at = now()
    FROM ended
   WHERE j.run_id = ended.run_id
     AND j.finished_at IS NULL
)
SELECT (SELECT count(*) FROM ended) AS runs,
       (SELECT count(*) FROM items) AS items
