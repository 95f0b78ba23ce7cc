-- 0002 views: the stable interface for people and programs. Adding a column is fine; renaming one needs a changelog line.

CREATE VIEW rrcm.certificate_result AS
SELECT i.run_id,
       r.name AS run_name,
       i.item_id,
       i.image_index,
       d.source,
       d.split,
       i.sigma,
       i.label,
       i.state,
       c.mode,
       c.top_class,
       c.predicted,
       c.radius,
       c.abstained,
       c.correct,
       c.n_a,
       c.n0,
       c.n,
       c.alpha,
       c.slack,
       c.p_lower,
       c.numerics_id,
       c.compute_seconds,
       c.certified_at
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  LEFT JOIN rrcm.dataset_image d ON d.dataset_digest = r.dataset_digest AND d.image_index = i.image_index
  LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified';
COMMENT ON VIEW rrcm.certificate_result IS
  'One row per item, certified or not; certificate columns are null until it is, and again when it is held';
COMMENT ON COLUMN rrcm.certificate_result.run_id IS 'Run';
COMMENT ON COLUMN rrcm.certificate_result.run_name IS 'Name of the run';
COMMENT ON COLUMN rrcm.certificate_result.item_id IS 'Item';
COMMENT ON COLUMN rrcm.certificate_result.image_index IS 'Image';
COMMENT ON COLUMN rrcm.certificate_result.source IS 'File or row the image came from';
COMMENT ON COLUMN rrcm.certificate_result.split IS 'Split the image belongs to';
COMMENT ON COLUMN rrcm.certificate_result.sigma IS 'Noise level in the [0, 1] pixel range';
COMMENT ON COLUMN rrcm.certificate_result.label IS 'True class';
COMMENT ON COLUMN rrcm.certificate_result.state IS 'State of the item';
COMMENT ON COLUMN rrcm.certificate_result.mode IS 'How the bound was formed';
COMMENT ON COLUMN rrcm.certificate_result.top_class IS 'Class that selection chose';
COMMENT ON COLUMN rrcm.certificate_result.predicted IS 'Certified class; null when abstained';
COMMENT ON COLUMN rrcm.certificate_result.radius IS 'Certified L2 radius; null when abstained';
COMMENT ON COLUMN rrcm.certificate_result.abstained IS 'True when the bound is not above one half';
COMMENT ON COLUMN rrcm.certificate_result.correct IS 'Certified class equals the label';
COMMENT ON COLUMN rrcm.certificate_result.n_a IS 'Estimation votes for the top class';
COMMENT ON COLUMN rrcm.certificate_result.n0 IS 'Selection draws';
COMMENT ON COLUMN rrcm.certificate_result.n IS 'Estimation draws';
COMMENT ON COLUMN rrcm.certificate_result.alpha IS 'Failure probability of this one certificate';
COMMENT ON COLUMN rrcm.certificate_result.slack IS 'Subtracted from the bound for the sampler''s finite precision';
COMMENT ON COLUMN rrcm.certificate_result.p_lower IS 'Lower bound of the top class''s probability';
COMMENT ON COLUMN rrcm.certificate_result.numerics_id IS 'Numerics id of every vote in it';
COMMENT ON COLUMN rrcm.certificate_result.compute_seconds IS 'Compute time of all its chunks';
COMMENT ON COLUMN rrcm.certificate_result.certified_at IS 'When it was certified';

CREATE VIEW rrcm.accuracy_at_radius AS
WITH level AS (
  SELECT i.run_id,
         i.sigma,
         count(*) AS items,
         count(c.item_id) AS finished,
         ceil(20 * coalesce(max(c.radius), 0))::int + 1 AS last_step
    FROM rrcm.item i
    LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified'
   GROUP BY i.run_id, i.sigma
)
SELECT l.run_id,
       l.sigma,
       (step / 20.0)::numeric(8, 2) AS r,
       l.items,
       l.finished,
       hits.certified,
       hits.certified::double precision / nullif(l.finished, 0) AS accuracy,
       hits.certified::double precision / l.items AS accuracy_low,
       (hits.certified + l.items - l.finished)::double precision / l.items AS accuracy_high
  FROM level l
 CROSS JOIN LATERAL generate_series(0, l.last_step) AS step
 CROSS JOIN LATERAL (
   SELECT count(*) AS certified
     FROM rrcm.item i
     JOIN rrcm.certificate c USING (item_id)
    WHERE i.run_id = l.run_id
      AND i.sigma = l.sigma
      AND i.state = 'certified'
      AND c.correct
      AND c.radius >= (step / 20.0)::double precision
 ) AS hits;
COMMENT ON VIEW rrcm.accuracy_at_radius IS
  'Certified accuracy per run and sigma at r = 0, 0.05, 0.10, …; abstentions and mistakes count in the denominator';
COMMENT ON COLUMN rrcm.accuracy_at_radius.run_id IS 'Run';
COMMENT ON COLUMN rrcm.accuracy_at_radius.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.accuracy_at_radius.r IS 'L2 radius';
COMMENT ON COLUMN rrcm.accuracy_at_radius.items IS 'Images of the run at this sigma';
COMMENT ON COLUMN rrcm.accuracy_at_radius.finished IS 'Those with a certificate or an abstention';
COMMENT ON COLUMN rrcm.accuracy_at_radius.certified IS 'Those correct and certified at r or more';
COMMENT ON COLUMN rrcm.accuracy_at_radius.accuracy IS 'Share of the finished; biased while the run is unfinished';
COMMENT ON COLUMN rrcm.accuracy_at_radius.accuracy_low IS 'Share of all, unfinished counted wrong';
COMMENT ON COLUMN rrcm.accuracy_at_radius.accuracy_high IS 'Share of all, unfinished counted right';

CREATE VIEW rrcm.run_progress AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.state,
       r.priority,
       coalesce(j.step, items.finished, 0) AS done,
       coalesce(j.steps, items.total, 0) AS total,
       CASE WHEN j.job_id IS NULL THEN 'items' ELSE 'steps' END AS unit,
       coalesce(votes.samples, 0) AS samples,
       coalesce(items.held, 0) AS held,
       coalesce(votes.disagreements, 0) AS disagreements,
       r.numerics_ids,
       r.checkpoint_digest,
       r.dataset_digest,
       r.depends_on,
       r.error,
       r.created_at,
       r.started_at,
       r.finished_at,
       extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::double precision AS elapsed_seconds
  FROM rrcm.run r
  LEFT JOIN rrcm.job j USING (run_id)
  LEFT JOIN LATERAL (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE i.state = 'certified') AS finished,
           count(*) FILTER (WHERE i.state = 'held') AS held
      FROM rrcm.item i
     WHERE i.run_id = r.run_id
    HAVING count(*) > 0
  ) AS items ON true
  LEFT JOIN LATERAL (
    SELECT sum(k.samples)::bigint AS samples,
           (SELECT count(*) FROM rrcm.disagreement d JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id)
             AS disagreements
      FROM rrcm.chunk_count k
      JOIN rrcm.item i USING (item_id)
     WHERE i.run_id = r.run_id
  ) AS votes ON true;
COMMENT ON VIEW rrcm.run_progress IS 'One row per run: how far it is';
COMMENT ON COLUMN rrcm.run_progress.run_id IS 'Run';
COMMENT ON COLUMN rrcm.run_progress.name IS 'Name';
COMMENT ON COLUMN rrcm.run_progress.kind IS 'What it does';
COMMENT ON COLUMN rrcm.run_progress.state IS 'State';
COMMENT ON COLUMN rrcm.run_progress.priority IS 'Priority';
COMMENT ON COLUMN rrcm.run_progress.done IS 'Items certified, or training steps completed';
COMMENT ON COLUMN rrcm.run_progress.total IS 'Items, or training steps, in all';
COMMENT ON COLUMN rrcm.run_progress.unit IS 'What done and total count';
COMMENT ON COLUMN rrcm.run_progress.samples IS 'Noise samples whose votes are stored';
COMMENT ON COLUMN rrcm.run_progress.held IS 'Items held because votes disagree';
COMMENT ON COLUMN rrcm.run_progress.disagreements IS 'Chunks computed twice with different votes';
COMMENT ON COLUMN rrcm.run_progress.numerics_ids IS 'Numerics ids that may compute it';
COMMENT ON COLUMN rrcm.run_progress.checkpoint_digest IS 'Checkpoint it uses';
COMMENT ON COLUMN rrcm.run_progress.dataset_digest IS 'Image set it reads';
COMMENT ON COLUMN rrcm.run_progress.depends_on IS 'Run it waits for';
COMMENT ON COLUMN rrcm.run_progress.error IS 'Why it failed';
COMMENT ON COLUMN rrcm.run_progress.created_at IS 'When it was submitted';
COMMENT ON COLUMN rrcm.run_progress.started_at IS 'When it was planned';
COMMENT ON COLUMN rrcm.run_progress.finished_at IS 'When it ended';
COMMENT ON COLUMN rrcm.run_progress.elapsed_seconds IS 'Seconds since it was planned, or until it ended';

CREATE VIEW rrcm.worker_health AS
SELECT w.worker_id,
       w.name,
       w.epoch,
       w.state,
       w.host,
       w.pid,
       w.device,
       w.software,
       w.samples_per_second,
       extract(epoch FROM now() - w.beat_at)::double precision AS silent_seconds,
       count(l.lease_id) AS leases,
       j.run_id AS training_run_id,
       w.registered_at
  FROM rrcm.worker w
  LEFT JOIN rrcm.lease l USING (worker_id)
  LEFT JOIN rrcm.job j ON j.worker_id = w.worker_id AND j.state = 'running'
 GROUP BY w.worker_id, j.run_id;
COMMENT ON VIEW rrcm.worker_health IS 'One row per worker: alive or not, how fast, what it holds';
COMMENT ON COLUMN rrcm.worker_health.worker_id IS 'Worker';
COMMENT ON COLUMN rrcm.worker_health.name IS 'Name';
COMMENT ON COLUMN rrcm.worker_health.epoch IS 'Epoch';
COMMENT ON COLUMN rrcm.worker_health.state IS 'State';
COMMENT ON COLUMN rrcm.worker_health.host IS 'Machine';
COMMENT ON COLUMN rrcm.worker_health.pid IS 'Process';
COMMENT ON COLUMN rrcm.worker_health.device IS 'What it computes with';
COMMENT ON COLUMN rrcm.worker_health.software IS 'Version';
COMMENT ON COLUMN rrcm.worker_health.samples_per_second IS 'Measured speed on its current run';
COMMENT ON COLUMN rrcm.worker_health.silent_seconds IS 'Seconds since its last heartbeat';
COMMENT ON COLUMN rrcm.worker_health.leases IS 'Leases it holds';
COMMENT ON COLUMN rrcm.worker_health.training_run_id IS 'Training run it holds';
COMMENT ON COLUMN rrcm.worker_health.registered_at IS 'When this epoch began';

CREATE VIEW rrcm.queue_depth AS
SELECT r.run_id,
       r.name,
       r.kind,
       r.priority,
       coalesce(items.units, 0) + coalesce(gaps.units, 0) + coalesce(jobs.queued, 0) AS ready,
       coalesce(leases.units, 0) + coalesce(jobs.running, 0) AS leased,
       extract(epoch FROM now() - r.started_at)::double precision AS oldest_seconds,
       NOT EXISTS (
         SELECT
           FROM rrcm.worker w
          WHERE w.state = 'live'
            AND (r.numerics_ids = '{}' OR w.numerics_ids && r.numerics_ids)
       ) AS stranded
  FROM rrcm.run r
  LEFT JOIN LATERAL (
    SELECT sum(i.unit_count - i.next_unit) AS units FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open'
  ) AS items ON true
  LEFT JOIN LATERAL (
    SELECT sum(g.hi - g.lo) AS units FROM rrcm.gap g WHERE g.run_id = r.run_id
  ) AS gaps ON true
  LEFT JOIN LATERAL (
    SELECT sum(l.hi - l.lo) AS units FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id
  ) AS leases ON true
  LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.state = 'queued') AS queued, count(*) FILTER (WHERE j.state = 'running') AS running
      FROM rrcm.job j
     WHERE j.run_id = r.run_id
  ) AS jobs ON true
 WHERE r.state = 'running';
COMMENT ON VIEW rrcm.queue_depth IS 'One row per running run: units (chunks, or the training job) ready and leased';
COMMENT ON COLUMN rrcm.queue_depth.run_id IS 'Run';
COMMENT ON COLUMN rrcm.queue_depth.name IS 'Name';
COMMENT ON COLUMN rrcm.queue_depth.kind IS 'What it does';
COMMENT ON COLUMN rrcm.queue_depth.priority IS 'Priority';
COMMENT ON COLUMN rrcm.queue_depth.ready IS 'Units nobody holds';
COMMENT ON COLUMN rrcm.queue_depth.leased IS 'Units held by workers';
COMMENT ON COLUMN rrcm.queue_depth.oldest_seconds IS 'Seconds since the run was planned';
COMMENT ON COLUMN rrcm.queue_depth.stranded IS
  'True when no live worker has shown to compute one of its numerics ids';
