-- name: insert_certificate
-- Stores a certificate and closes its item, if that still waits for one: not when it was held or cancelled meanwhile, or
-- votes of it were voided (revision $16). A second aggregator's equal certificate changes nothing.
WITH waiting AS MATERIALIZED (
  SELECT i.item_id
    FROM rrcm.item i
   WHERE i.item_id = $1
     AND i.state = 'claimed'
     AND i.revision = $16
     FOR NO KEY UPDATE
), stored AS (
  INSERT INTO rrcm.certificate (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius,
                                correct, numerics_id, compute_seconds)
  SELECT waiting.item_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    FROM waiting
  ON CONFLICT (item_id) DO NOTHING
  RETURNING item_id
), leftovers AS (
  DELETE FROM rrcm.gap g
   USING stored
   WHERE g.item_id = stored.item_id
)
UPDATE rrcm.item i
   SET state = 'certified'
  FROM stored
 WHERE i.item_id = stored.item_id
RETURNING i.item_id
