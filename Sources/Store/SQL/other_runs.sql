-- name: other_runs
-- How many other runs certify the same images with the same checkpoint at one of the same noise levels.
SELECT count(*) AS runs
  FROM rrcm.run other
  JOIN rrcm.run this ON this.run_id = $1
 WHERE other.run_id <> this.run_id
   AND other.kind = 'certify'
   AND other.checkpoint_digest = this.checkpoint_digest
   AND other.dataset_digest = this.dataset_digest
   AND other.image_indices = this.image_indices
   AND EXISTS (
         SELECT
           FROM rrcm.certification_sigma a
           JOIN rrcm.certification_sigma b USING (sigma)
          WHERE a.run_id = this.run_id
            AND b.run_id = other.run_id
       )
