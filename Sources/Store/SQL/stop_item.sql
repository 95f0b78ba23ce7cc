-- name: stop_item
-- Stores a certificate, closes its item and ends what is left of its work, if it still waits for one: not when it was held
-- or cancelled meanwhile, or votes of it were voided (revision $21). Holders of its leases learn of it at their next post;
-- votes of theirs that still come are stored and count nowhere. A second aggregator's equal certificate changes nothing.
WITH waiting AS MATERIALIZED (
  SELECT i.item_id
    FROM rrcm.item i
   WHERE i.item_id = $1
     AND i.state IN ('open', 'claimed')
     AND i.revision = $21
     FOR NO KEY UPDATE
), stored AS (
  INSERT INTO rrcm.certificate (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius,
                                correct, numerics_id, compute_seconds, stopped_at_unit, targets_reached, runner_up_votes,
                                p_upper, p_value)
  SELECT waiting.item_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::text[]::numeric[], $18,
         $19, $20
    FROM waiting
  ON CONFLICT (item_id) DO NOTHING
  RETURNING item_id
), leftovers AS (
  DELETE FROM rrcm.gap g
   USING stored
   WHERE g.item_id = stored.item_id
), revoked AS (
  DELETE FROM rrcm.lease l
   USING stored
   WHERE l.item_id = stored.item_id
)
UPDATE rrcm.item i
   SET state = 'certified'
  FROM stored
 WHERE i.item_id = stored.item_id
RETURNING i.item_id
