-- name: item_attempts
-- Failed attempts at the given items, or at the training of run $2, oldest first.
SELECT item_id,
       sigma::text AS sigma,
       unit,
       outcome::text AS outcome,
       worker_name,
       epoch,
       alone,
       error,
       to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at,
       to_char(retried_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS retried_at
  FROM rrcm.work_attempt
 WHERE item_id = ANY ($1::bigint[])
    OR item_id IS NULL AND run_id = $2
 ORDER BY item_id, work_attempt.at
