-- name: requeue_orphaned_jobs
-- Training jobs whose holder is gone, has registered anew, or made no progress until the deadline: free to be resumed
-- from their last snapshot. Losing a job this way is on record, but no failed attempt of the training's. A job whose row is
-- locked is looked at the next time: its holder writes, or froze in the middle.
WITH orphaned AS MATERIALIZED (
  SELECT j.job_id,
         j.run_id,
         j.epoch,
         j.step,
         w.worker_id,
         w.name,
         w.state = 'gone' OR w.epoch <> j.epoch AS died
    FROM rrcm.job j
    JOIN rrcm.worker w USING (worker_id)
   WHERE j.state = 'running'
     AND (w.state = 'gone' OR w.epoch <> j.epoch OR j.deadline_at < now())
     FOR NO KEY UPDATE OF j SKIP LOCKED
), attempt AS (
  INSERT INTO rrcm.failed_attempt (run_id, worker_id, epoch, outcome, error)
  SELECT run_id, worker_id, epoch,
         CASE WHEN died THEN 'died'::rrcm.attempt_outcome ELSE 'expired' END,
         format(
           CASE
             WHEN died THEN 'worker %s (epoch %s) ended without a goodbye after step %s'
             ELSE 'worker %s (epoch %s) made no progress after step %s until the deadline'
           END,
           name, epoch, step)
    FROM orphaned
)
UPDATE rrcm.job j
   SET state = 'queued',
       worker_id = NULL,
       epoch = NULL,
       deadline_at = NULL
  FROM orphaned
 WHERE j.job_id = orphaned.job_id
RETURNING j.run_id, orphaned.worker_id
