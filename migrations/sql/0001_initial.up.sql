-- 0001 initial: the whole fleet's meeting point. Plain SQL; `psql -f` runs it inside a transaction of yours.
--
-- Shape: run → item (image × sigma) → lease (a range of units) → chunk_count (append-only votes) → certificate.
-- An item's unit 0 is its selection chunk; unit u ≥ 1 is estimation chunk u − 1.

CREATE SCHEMA IF NOT EXISTS rrcm;
COMMENT ON SCHEMA rrcm IS 'rRCM Fleet: certification and training work, votes and certificates';

CREATE TYPE rrcm.run_kind AS ENUM ('pretrain', 'finetune', 'certify');
CREATE TYPE rrcm.run_state AS ENUM ('submitted', 'running', 'done', 'failed', 'cancelled');
CREATE TYPE rrcm.item_state AS ENUM ('open', 'claimed', 'certified', 'held', 'cancelled');
CREATE TYPE rrcm.job_state AS ENUM ('queued', 'running', 'done', 'failed', 'cancelled');
CREATE TYPE rrcm.worker_state AS ENUM ('live', 'draining', 'gone');

CREATE FUNCTION rrcm.total(numbers int[]) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT coalesce(sum(number), 0) FROM unnest(numbers) AS number);
COMMENT ON FUNCTION rrcm.total IS 'Sum of an integer array; used by constraints on votes';

-- Image sets -------------------------------------------------------------------------------------------------------

CREATE TABLE rrcm.dataset (
  dataset_digest text PRIMARY KEY,
  name           text NOT NULL,
  channels       int NOT NULL,
  height         int NOT NULL,
  width          int NOT NULL,
  classes        text[] NOT NULL,
  image_count    int NOT NULL,
  source         text NOT NULL,
  imported_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT dataset_name_unique UNIQUE (name),
  CONSTRAINT dataset_digest_is_sha256 CHECK (dataset_digest ~ '^[0-9a-f]{64}$'),
  CONSTRAINT dataset_shape_positive CHECK (channels > 0 AND height > 0 AND width > 0 AND image_count > 0)
);
COMMENT ON TABLE rrcm.dataset IS 'Imported image sets; the pixels are in the artifact store under the digest';
COMMENT ON COLUMN rrcm.dataset.dataset_digest IS 'SHA-256 of the packed image set';
COMMENT ON COLUMN rrcm.dataset.name IS 'What run files call it';
COMMENT ON COLUMN rrcm.dataset.channels IS 'Image channels C';
COMMENT ON COLUMN rrcm.dataset.height IS 'Image height H in pixels';
COMMENT ON COLUMN rrcm.dataset.width IS 'Image width W in pixels';
COMMENT ON COLUMN rrcm.dataset.classes IS 'Class names in label order';
COMMENT ON COLUMN rrcm.dataset.image_count IS 'Number of images over all splits';
COMMENT ON COLUMN rrcm.dataset.source IS 'Where the images were read from';
COMMENT ON COLUMN rrcm.dataset.imported_at IS 'When it was imported';

CREATE TABLE rrcm.dataset_image (
  dataset_digest text NOT NULL REFERENCES rrcm.dataset ON DELETE CASCADE,
  image_index    int NOT NULL,
  split          text NOT NULL,
  label          int NOT NULL,
  source         text NOT NULL,
  image_digest   text NOT NULL,
  CONSTRAINT dataset_image_pkey PRIMARY KEY (dataset_digest, image_index),
  CONSTRAINT dataset_image_index_not_negative CHECK (image_index >= 0),
  CONSTRAINT dataset_image_label_not_negative CHECK (label >= 0)
);
COMMENT ON TABLE rrcm.dataset_image IS 'One row per image of an image set';
COMMENT ON COLUMN rrcm.dataset_image.dataset_digest IS 'Image set';
COMMENT ON COLUMN rrcm.dataset_image.image_index IS 'Position in the image set; part of the noise counter';
COMMENT ON COLUMN rrcm.dataset_image.split IS 'Fixed split the image belongs to, for example train or heldout';
COMMENT ON COLUMN rrcm.dataset_image.label IS 'True class';
COMMENT ON COLUMN rrcm.dataset_image.source IS 'File or row it came from';
COMMENT ON COLUMN rrcm.dataset_image.image_digest IS 'SHA-256 of the image''s bytes [C, H, W]';

-- Runs -------------------------------------------------------------------------------------------------------------

CREATE TABLE rrcm.run (
  run_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind              rrcm.run_kind NOT NULL,
  name              text NOT NULL,
  state             rrcm.run_state NOT NULL DEFAULT 'submitted',
  spec              jsonb NOT NULL,
  seed              bigint NOT NULL,
  priority          int NOT NULL DEFAULT 0,
  dataset_digest    text NOT NULL REFERENCES rrcm.dataset,
  checkpoint_digest text,
  depends_on        bigint REFERENCES rrcm.run,
  image_indices     int[],
  numerics_ids      text[] NOT NULL DEFAULT '{}',
  software          text NOT NULL,
  error             text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  started_at        timestamptz,
  finished_at       timestamptz,
  CONSTRAINT run_finished_or_finished_at_null
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  CONSTRAINT run_certify_has_images CHECK ((kind = 'certify') = (image_indices IS NOT NULL)),
  CONSTRAINT run_seed_not_negative CHECK (seed >= 0),
  CONSTRAINT run_error_when_failed CHECK (state <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX run_unfinished ON rrcm.run (priority DESC, run_id) WHERE finished_at IS NULL;
CREATE INDEX run_name ON rrcm.run (name);
COMMENT ON TABLE rrcm.run IS 'One certification or training with one resolved configuration';
COMMENT ON COLUMN rrcm.run.run_id IS 'Number of the run';
COMMENT ON COLUMN rrcm.run.kind IS 'What it does';
COMMENT ON COLUMN rrcm.run.name IS 'Name given by its run file';
COMMENT ON COLUMN rrcm.run.state IS 'submitted until the coordinator has planned it and what it depends on is done';
COMMENT ON COLUMN rrcm.run.spec IS 'The resolved run file; submitting it again repeats the run';
COMMENT ON COLUMN rrcm.run.seed IS 'Seed of every random draw of the run';
COMMENT ON COLUMN rrcm.run.priority IS 'Higher is served first';
COMMENT ON COLUMN rrcm.run.dataset_digest IS 'Image set it reads';
COMMENT ON COLUMN rrcm.run.checkpoint_digest IS 'Checkpoint it starts from; null for pretrain, and until the run it depends on is done';
COMMENT ON COLUMN rrcm.run.depends_on IS 'Run whose checkpoint this one uses';
COMMENT ON COLUMN rrcm.run.image_indices IS 'The certified images, always as an explicit list';
COMMENT ON COLUMN rrcm.run.numerics_ids IS 'Numerics ids that may compute it; empty until named or taken from its first worker';
COMMENT ON COLUMN rrcm.run.software IS 'Version of the software that submitted it';
COMMENT ON COLUMN rrcm.run.error IS 'Why it failed';
COMMENT ON COLUMN rrcm.run.created_at IS 'When it was submitted';
COMMENT ON COLUMN rrcm.run.started_at IS 'When it was planned';
COMMENT ON COLUMN rrcm.run.finished_at IS 'When it ended';

CREATE TABLE rrcm.checkpoint (
  checkpoint_digest text PRIMARY KEY,
  kind              text NOT NULL,
  configuration     jsonb NOT NULL,
  run_id            bigint REFERENCES rrcm.run,
  source            text NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT checkpoint_kind_known CHECK (kind IN ('pretrained', 'classifier')),
  CONSTRAINT checkpoint_digest_is_sha256 CHECK (checkpoint_digest ~ '^[0-9a-f]{64}$')
);
ALTER TABLE rrcm.run ADD CONSTRAINT run_checkpoint_known
  FOREIGN KEY (checkpoint_digest) REFERENCES rrcm.checkpoint;
COMMENT ON TABLE rrcm.checkpoint IS 'Weights with their configuration; the files are in the artifact store under the digest';
COMMENT ON COLUMN rrcm.checkpoint.checkpoint_digest IS 'Content hash of configuration and weights';
COMMENT ON COLUMN rrcm.checkpoint.kind IS 'pretrained (encoder and projector) or classifier (encoder and head)';
COMMENT ON COLUMN rrcm.checkpoint.configuration IS 'Shape of the network';
COMMENT ON COLUMN rrcm.checkpoint.run_id IS 'Run that made it first; null when imported';
COMMENT ON COLUMN rrcm.checkpoint.source IS 'File it was imported from, or the run''s name';
COMMENT ON COLUMN rrcm.checkpoint.created_at IS 'When it was recorded';

CREATE TABLE rrcm.checkpoint_name (
  name              text NOT NULL,
  checkpoint_digest text NOT NULL REFERENCES rrcm.checkpoint ON DELETE CASCADE,
  named_at          timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT checkpoint_name_pkey PRIMARY KEY (name, checkpoint_digest)
);
COMMENT ON TABLE rrcm.checkpoint_name IS 'What people call checkpoints: names given at import, and of the runs that made them';
COMMENT ON COLUMN rrcm.checkpoint_name.name IS 'Name; the checkpoint that got it last is meant';
COMMENT ON COLUMN rrcm.checkpoint_name.checkpoint_digest IS 'Checkpoint; it may have several names';
COMMENT ON COLUMN rrcm.checkpoint_name.named_at IS 'When it last got this name';

-- Workers ----------------------------------------------------------------------------------------------------------

CREATE TABLE rrcm.worker (
  worker_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name               text NOT NULL,
  epoch              int NOT NULL DEFAULT 1,
  state              rrcm.worker_state NOT NULL DEFAULT 'live',
  host               text NOT NULL,
  pid                int NOT NULL,
  device             text NOT NULL,
  software           text NOT NULL,
  numerics_ids       text[] NOT NULL DEFAULT '{}',
  samples_per_second double precision,
  registered_at      timestamptz NOT NULL DEFAULT now(),
  beat_at            timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT worker_name_unique UNIQUE (name),
  CONSTRAINT worker_epoch_positive CHECK (epoch > 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE rrcm.worker IS 'One row per worker name, with its heartbeat';
COMMENT ON COLUMN rrcm.worker.worker_id IS 'Number of the worker';
COMMENT ON COLUMN rrcm.worker.name IS 'Name it registers under';
COMMENT ON COLUMN rrcm.worker.epoch IS 'Rises at each registration; what an earlier epoch held is not its own any more';
COMMENT ON COLUMN rrcm.worker.state IS 'gone once it stopped, or was silent for too long';
COMMENT ON COLUMN rrcm.worker.host IS 'Machine it runs on';
COMMENT ON COLUMN rrcm.worker.pid IS 'Its process there';
COMMENT ON COLUMN rrcm.worker.device IS 'What it computes with';
COMMENT ON COLUMN rrcm.worker.software IS 'Its version of the software';
COMMENT ON COLUMN rrcm.worker.numerics_ids IS 'Numerics ids it has shown to compute, since it registered';
COMMENT ON COLUMN rrcm.worker.samples_per_second IS 'Measured speed on its current run';
COMMENT ON COLUMN rrcm.worker.registered_at IS 'When this epoch began';
COMMENT ON COLUMN rrcm.worker.beat_at IS 'Last heartbeat, by the database''s clock';

-- Certification ----------------------------------------------------------------------------------------------------

CREATE TABLE rrcm.certification (
  run_id        bigint PRIMARY KEY REFERENCES rrcm.run ON DELETE CASCADE,
  mode          text NOT NULL,
  n0            int NOT NULL,
  n             int NOT NULL,
  alpha         double precision NOT NULL,
  sampler       text NOT NULL,
  chunk_samples int NOT NULL,
  CONSTRAINT certification_mode_known CHECK (mode IN ('fixed')),
  CONSTRAINT certification_draws_positive CHECK (n0 > 0 AND n > 0 AND chunk_samples > 0),
  CONSTRAINT certification_alpha_is_probability CHECK (alpha > 0 AND alpha <= 0.5),
  CONSTRAINT certification_sampler_known CHECK (sampler IN ('grid', 'gaussian'))
);
COMMENT ON TABLE rrcm.certification IS 'The protocol of a certification run, fixed at submission';
COMMENT ON COLUMN rrcm.certification.run_id IS 'Run';
COMMENT ON COLUMN rrcm.certification.mode IS 'How the bound is formed';
COMMENT ON COLUMN rrcm.certification.n0 IS 'Selection draws per item';
COMMENT ON COLUMN rrcm.certification.n IS 'Estimation draws per item';
COMMENT ON COLUMN rrcm.certification.alpha IS 'Failure probability of one certificate';
COMMENT ON COLUMN rrcm.certification.sampler IS 'How the noise is drawn';
COMMENT ON COLUMN rrcm.certification.chunk_samples IS 'Samples per estimation chunk; the last one of an item may be shorter';

CREATE TABLE rrcm.certification_sigma (
  run_id       bigint NOT NULL REFERENCES rrcm.certification ON DELETE CASCADE,
  sigma        numeric NOT NULL,
  grid_m       int NOT NULL,
  slack        double precision NOT NULL,
  table_digest text,
  CONSTRAINT certification_sigma_pkey PRIMARY KEY (run_id, sigma),
  CONSTRAINT certification_sigma_positive CHECK (sigma > 0),
  CONSTRAINT certification_sigma_grid_has_table CHECK ((grid_m > 0) = (table_digest IS NOT NULL)),
  CONSTRAINT certification_sigma_slack_not_negative CHECK (slack >= 0)
);
COMMENT ON TABLE rrcm.certification_sigma IS 'The noise levels of a certification run';
COMMENT ON COLUMN rrcm.certification_sigma.run_id IS 'Run';
COMMENT ON COLUMN rrcm.certification_sigma.sigma IS 'Standard deviation in the [0, 1] pixel range';
COMMENT ON COLUMN rrcm.certification_sigma.grid_m IS 'Grid points per 1/255 of pixel value; 0 for the gaussian sampler';
COMMENT ON COLUMN rrcm.certification_sigma.slack IS 'Total variation between sampled and exact noise of one image; subtracted from every lower bound';
COMMENT ON COLUMN rrcm.certification_sigma.table_digest IS 'SHA-256 of the grid sampler''s thresholds';

CREATE TABLE rrcm.item (
  item_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id      bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  image_index int NOT NULL,
  sigma       numeric NOT NULL,
  label       int NOT NULL,
  state       rrcm.item_state NOT NULL DEFAULT 'open',
  unit_count  int NOT NULL,
  next_unit   int NOT NULL DEFAULT 0,
  numerics_id text,
  top_class   int,
  error       text,
  CONSTRAINT item_once_per_run UNIQUE (run_id, image_index, sigma),
  CONSTRAINT item_sigma_declared FOREIGN KEY (run_id, sigma) REFERENCES rrcm.certification_sigma,
  CONSTRAINT item_units_in_range CHECK (unit_count >= 2 AND next_unit BETWEEN 0 AND unit_count),
  CONSTRAINT item_open_while_units_are_left CHECK (state <> 'open' OR next_unit < unit_count),
  CONSTRAINT item_held_with_reason CHECK (state <> 'held' OR error IS NOT NULL)
) WITH (fillfactor = 50);
CREATE INDEX item_open ON rrcm.item (run_id, item_id) WHERE state = 'open';
CREATE INDEX item_claimed ON rrcm.item (run_id, item_id) WHERE state = 'claimed';
COMMENT ON TABLE rrcm.item IS 'One image at one sigma of a certification run';
COMMENT ON COLUMN rrcm.item.item_id IS 'Number of the item';
COMMENT ON COLUMN rrcm.item.run_id IS 'Run';
COMMENT ON COLUMN rrcm.item.image_index IS 'Image';
COMMENT ON COLUMN rrcm.item.sigma IS 'Noise level';
COMMENT ON COLUMN rrcm.item.label IS 'True class';
COMMENT ON COLUMN rrcm.item.state IS 'open: units never claimed are left; claimed: none left; held: votes disagree, see error';
COMMENT ON COLUMN rrcm.item.unit_count IS 'Units in all: one selection chunk and the estimation chunks';
COMMENT ON COLUMN rrcm.item.next_unit IS 'First unit never claimed';
COMMENT ON COLUMN rrcm.item.numerics_id IS 'The one numerics id whose votes it takes; set by its first claim';
COMMENT ON COLUMN rrcm.item.top_class IS 'Class that selection chose; frozen before estimation votes are read';
COMMENT ON COLUMN rrcm.item.error IS 'Why it is held';

CREATE TABLE rrcm.gap (
  gap_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id  bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  item_id bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  lo      int NOT NULL,
  hi      int NOT NULL,
  CONSTRAINT gap_not_empty CHECK (lo >= 0 AND lo < hi)
);
CREATE INDEX gap_run ON rrcm.gap (run_id, gap_id);
CREATE INDEX gap_item ON rrcm.gap (item_id);
COMMENT ON TABLE rrcm.gap IS 'Units that were claimed and handed back; claimed before anything new';
COMMENT ON COLUMN rrcm.gap.gap_id IS 'Number of the gap';
COMMENT ON COLUMN rrcm.gap.run_id IS 'Run of the item';
COMMENT ON COLUMN rrcm.gap.item_id IS 'Item';
COMMENT ON COLUMN rrcm.gap.lo IS 'First unit';
COMMENT ON COLUMN rrcm.gap.hi IS 'One past the last unit';

CREATE TABLE rrcm.lease (
  lease_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  item_id     bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  lo          int NOT NULL,
  hi          int NOT NULL,
  worker_id   bigint NOT NULL REFERENCES rrcm.worker,
  epoch       int NOT NULL,
  issued_at   timestamptz NOT NULL DEFAULT now(),
  deadline_at timestamptz NOT NULL,
  CONSTRAINT lease_not_empty CHECK (lo >= 0 AND lo < hi)
);
CREATE INDEX lease_worker ON rrcm.lease (worker_id);
CREATE INDEX lease_item ON rrcm.lease (item_id);
COMMENT ON TABLE rrcm.lease IS 'A range of an item''s units held by one worker until deadline_at';
COMMENT ON COLUMN rrcm.lease.lease_id IS 'Number of the lease';
COMMENT ON COLUMN rrcm.lease.item_id IS 'Item';
COMMENT ON COLUMN rrcm.lease.lo IS 'First unit';
COMMENT ON COLUMN rrcm.lease.hi IS 'One past the last unit';
COMMENT ON COLUMN rrcm.lease.worker_id IS 'Holder';
COMMENT ON COLUMN rrcm.lease.epoch IS 'The holder''s epoch';
COMMENT ON COLUMN rrcm.lease.issued_at IS 'When it was claimed';
COMMENT ON COLUMN rrcm.lease.deadline_at IS 'When it is taken back even from a worker that beats: a hung device';

CREATE TABLE rrcm.chunk_count (
  item_id    bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  phase      smallint NOT NULL,
  chunk      int NOT NULL,
  samples    int NOT NULL,
  classes    smallint[] NOT NULL,
  votes      int[] NOT NULL,
  worker_id  bigint NOT NULL REFERENCES rrcm.worker,
  compute_ms real NOT NULL,
  posted_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT chunk_count_pkey PRIMARY KEY (item_id, phase, chunk),
  CONSTRAINT chunk_count_phase_known CHECK (phase IN (0, 1)),
  CONSTRAINT chunk_count_chunk_not_negative CHECK (chunk >= 0),
  CONSTRAINT chunk_count_every_sample_votes_once CHECK (samples > 0 AND rrcm.total(votes) = samples),
  CONSTRAINT chunk_count_classes_match_votes CHECK (cardinality(classes) = cardinality(votes)),
  CONSTRAINT chunk_count_votes_positive CHECK (0 < ALL (votes))
);
CREATE FUNCTION rrcm.refuse_update() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: what was stored first stays', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
COMMENT ON FUNCTION rrcm.refuse_update IS 'Trigger: rows are never changed';
CREATE TRIGGER chunk_count_append_only BEFORE UPDATE ON rrcm.chunk_count
  FOR EACH ROW EXECUTE FUNCTION rrcm.refuse_update();
COMMENT ON TABLE rrcm.chunk_count IS 'Votes of one chunk. Append-only: a repeated post changes nothing';
COMMENT ON COLUMN rrcm.chunk_count.item_id IS 'Item';
COMMENT ON COLUMN rrcm.chunk_count.phase IS '0 selection, 1 estimation';
COMMENT ON COLUMN rrcm.chunk_count.chunk IS 'Chunk within the phase';
COMMENT ON COLUMN rrcm.chunk_count.samples IS 'Samples in the chunk';
COMMENT ON COLUMN rrcm.chunk_count.classes IS 'Classes that got votes, ascending';
COMMENT ON COLUMN rrcm.chunk_count.votes IS 'Votes of each of those classes';
COMMENT ON COLUMN rrcm.chunk_count.worker_id IS 'Worker that posted it first';
COMMENT ON COLUMN rrcm.chunk_count.compute_ms IS 'Time the computation took, in milliseconds';
COMMENT ON COLUMN rrcm.chunk_count.posted_at IS 'When it was posted';

CREATE TABLE rrcm.disagreement (
  disagreement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  item_id         bigint NOT NULL REFERENCES rrcm.item ON DELETE CASCADE,
  phase           smallint NOT NULL,
  chunk           int NOT NULL,
  stored_classes  smallint[] NOT NULL,
  stored_votes    int[] NOT NULL,
  posted_classes  smallint[] NOT NULL,
  posted_votes    int[] NOT NULL,
  worker_id       bigint NOT NULL REFERENCES rrcm.worker,
  seen_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX disagreement_item ON rrcm.disagreement (item_id);
COMMENT ON TABLE rrcm.disagreement IS 'Two computations of one chunk that differ: an alarm, since votes are a pure function';
COMMENT ON COLUMN rrcm.disagreement.disagreement_id IS 'Number of the record';
COMMENT ON COLUMN rrcm.disagreement.item_id IS 'Item';
COMMENT ON COLUMN rrcm.disagreement.phase IS 'Phase of the chunk';
COMMENT ON COLUMN rrcm.disagreement.chunk IS 'Chunk';
COMMENT ON COLUMN rrcm.disagreement.stored_classes IS 'Classes stored first';
COMMENT ON COLUMN rrcm.disagreement.stored_votes IS 'Votes stored first; they stay';
COMMENT ON COLUMN rrcm.disagreement.posted_classes IS 'Classes posted later';
COMMENT ON COLUMN rrcm.disagreement.posted_votes IS 'Votes posted later';
COMMENT ON COLUMN rrcm.disagreement.worker_id IS 'Worker that posted later';
COMMENT ON COLUMN rrcm.disagreement.seen_at IS 'When';

CREATE TABLE rrcm.certificate (
  item_id         bigint PRIMARY KEY REFERENCES rrcm.item ON DELETE CASCADE,
  mode            text NOT NULL,
  top_class       int NOT NULL,
  n_a             int NOT NULL,
  n0              int NOT NULL,
  n               int NOT NULL,
  alpha           double precision NOT NULL,
  slack           double precision NOT NULL,
  p_lower         double precision NOT NULL,
  abstained       boolean NOT NULL,
  predicted       int,
  radius          double precision,
  correct         boolean NOT NULL,
  numerics_id     text NOT NULL,
  compute_seconds double precision NOT NULL,
  certified_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT certificate_hits_in_range CHECK (n_a BETWEEN 0 AND n),
  CONSTRAINT certificate_bound_is_probability CHECK (p_lower >= 0 AND p_lower <= 1),
  CONSTRAINT certificate_abstains_without_radius
    CHECK (abstained = (radius IS NULL) AND abstained = (predicted IS NULL)),
  CONSTRAINT certificate_certifies_its_top_class CHECK (abstained OR predicted = top_class),
  CONSTRAINT certificate_abstention_is_not_correct CHECK (NOT (abstained AND correct)),
  CONSTRAINT certificate_radius_not_negative CHECK (radius IS NULL OR radius >= 0)
);
COMMENT ON TABLE rrcm.certificate IS 'A pure function of the stored votes and the protocol; anyone can recompute it';
COMMENT ON COLUMN rrcm.certificate.item_id IS 'Item';
COMMENT ON COLUMN rrcm.certificate.mode IS 'How the bound was formed';
COMMENT ON COLUMN rrcm.certificate.top_class IS 'Class that selection chose';
COMMENT ON COLUMN rrcm.certificate.n_a IS 'Estimation votes for the top class';
COMMENT ON COLUMN rrcm.certificate.n0 IS 'Selection draws';
COMMENT ON COLUMN rrcm.certificate.n IS 'Estimation draws';
COMMENT ON COLUMN rrcm.certificate.alpha IS 'Failure probability of this one certificate';
COMMENT ON COLUMN rrcm.certificate.slack IS 'Subtracted from the bound for the sampler''s finite precision';
COMMENT ON COLUMN rrcm.certificate.p_lower IS 'Lower bound of the top class''s probability, slack subtracted';
COMMENT ON COLUMN rrcm.certificate.abstained IS 'True when the bound is not above one half';
COMMENT ON COLUMN rrcm.certificate.predicted IS 'Certified class; null when abstained';
COMMENT ON COLUMN rrcm.certificate.radius IS 'Certified L2 radius in sigma''s units; null when abstained';
COMMENT ON COLUMN rrcm.certificate.correct IS 'Whether the certified class is the label; false when abstained';
COMMENT ON COLUMN rrcm.certificate.numerics_id IS 'Numerics id of every vote in it';
COMMENT ON COLUMN rrcm.certificate.compute_seconds IS 'Compute time of all its chunks';
COMMENT ON COLUMN rrcm.certificate.certified_at IS 'When it was computed';

-- Training ---------------------------------------------------------------------------------------------------------

CREATE TABLE rrcm.job (
  job_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id            bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  state             rrcm.job_state NOT NULL DEFAULT 'queued',
  run_lease         bigint NOT NULL DEFAULT 0,
  attempts          int NOT NULL DEFAULT 0,
  worker_id         bigint REFERENCES rrcm.worker,
  epoch             int,
  deadline_at       timestamptz,
  step              bigint NOT NULL DEFAULT 0,
  steps             bigint NOT NULL,
  snapshot_digest   text,
  snapshot_step     bigint NOT NULL DEFAULT 0,
  checkpoint_digest text,
  error             text,
  queued_at         timestamptz NOT NULL DEFAULT now(),
  finished_at       timestamptz,
  CONSTRAINT job_one_per_run UNIQUE (run_id),
  CONSTRAINT job_checkpoint_known
    FOREIGN KEY (checkpoint_digest) REFERENCES rrcm.checkpoint DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT job_done_has_checkpoint CHECK ((state = 'done') = (checkpoint_digest IS NOT NULL)),
  CONSTRAINT job_running_has_holder CHECK ((state = 'running') = (worker_id IS NOT NULL AND deadline_at IS NOT NULL)),
  CONSTRAINT job_finished_or_finished_at_null
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX job_queued ON rrcm.job (job_id) WHERE state = 'queued';
CREATE INDEX job_running ON rrcm.job (worker_id) WHERE state = 'running';
COMMENT ON TABLE rrcm.job IS 'Long, fenced work of a training run';
COMMENT ON COLUMN rrcm.job.job_id IS 'Number of the job';
COMMENT ON COLUMN rrcm.job.run_id IS 'Run';
COMMENT ON COLUMN rrcm.job.state IS 'State';
COMMENT ON COLUMN rrcm.job.run_lease IS 'Fencing number: rises at each claim; writes under an older one are refused';
COMMENT ON COLUMN rrcm.job.attempts IS 'Attempts that ended in an error; losing a lease is not one';
COMMENT ON COLUMN rrcm.job.worker_id IS 'Present holder';
COMMENT ON COLUMN rrcm.job.epoch IS 'The holder''s epoch';
COMMENT ON COLUMN rrcm.job.deadline_at IS 'When it is taken back even from a worker that beats; moved on by progress';
COMMENT ON COLUMN rrcm.job.step IS 'Last step reported';
COMMENT ON COLUMN rrcm.job.steps IS 'Steps in all';
COMMENT ON COLUMN rrcm.job.snapshot_digest IS 'Newest stored training state, from which it resumes';
COMMENT ON COLUMN rrcm.job.snapshot_step IS 'Step of that state';
COMMENT ON COLUMN rrcm.job.checkpoint_digest IS 'What it made; equal trainings make equal checkpoints';
COMMENT ON COLUMN rrcm.job.error IS 'Last error';
COMMENT ON COLUMN rrcm.job.queued_at IS 'When it was queued';
COMMENT ON COLUMN rrcm.job.finished_at IS 'When it ended';

CREATE TABLE rrcm.metric (
  run_id      bigint NOT NULL REFERENCES rrcm.run ON DELETE CASCADE,
  step        bigint NOT NULL,
  name        text NOT NULL,
  value       double precision NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT metric_pkey PRIMARY KEY (run_id, name, step)
);
COMMENT ON TABLE rrcm.metric IS 'Training metrics: losses, learning rate, accuracy under noise';
COMMENT ON COLUMN rrcm.metric.run_id IS 'Run';
COMMENT ON COLUMN rrcm.metric.step IS 'Completed steps when it was measured';
COMMENT ON COLUMN rrcm.metric.name IS 'What was measured';
COMMENT ON COLUMN rrcm.metric.value IS 'Value';
COMMENT ON COLUMN rrcm.metric.recorded_at IS 'When it was recorded';

-- Trust in numerics ------------------------------------------------------------------------------------------------

CREATE TABLE rrcm.canary (
  checkpoint_digest text NOT NULL REFERENCES rrcm.checkpoint ON DELETE CASCADE,
  numerics_id       text NOT NULL,
  logits_digest     text NOT NULL,
  first_worker_id   bigint NOT NULL REFERENCES rrcm.worker,
  second_worker_id  bigint REFERENCES rrcm.worker,
  recorded_at       timestamptz NOT NULL DEFAULT now(),
  trusted_at        timestamptz,
  CONSTRAINT canary_pkey PRIMARY KEY (checkpoint_digest, numerics_id),
  CONSTRAINT canary_trusted_by_two CHECK ((trusted_at IS NULL) = (second_worker_id IS NULL)),
  CONSTRAINT canary_two_workers_differ CHECK (second_worker_id IS DISTINCT FROM first_worker_id)
);
COMMENT ON TABLE rrcm.canary IS 'Digest of a fixed batch''s logits per checkpoint and numerics id; a worker that differs refuses work';
COMMENT ON COLUMN rrcm.canary.checkpoint_digest IS 'Checkpoint';
COMMENT ON COLUMN rrcm.canary.numerics_id IS 'Numerics id';
COMMENT ON COLUMN rrcm.canary.logits_digest IS 'SHA-256 of the canary batch''s logits, as bits';
COMMENT ON COLUMN rrcm.canary.first_worker_id IS 'Worker that recorded it';
COMMENT ON COLUMN rrcm.canary.second_worker_id IS 'Second worker with the same digest';
COMMENT ON COLUMN rrcm.canary.recorded_at IS 'When it was recorded';
COMMENT ON COLUMN rrcm.canary.trusted_at IS 'When a second worker agreed';

CREATE TABLE rrcm.event (
  event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at          timestamptz NOT NULL DEFAULT now(),
  kind        text NOT NULL,
  run_id      bigint,
  worker_id   bigint,
  detail      text NOT NULL
);
CREATE INDEX event_at ON rrcm.event (at);
COMMENT ON TABLE rrcm.event IS 'What an operator would want to know afterwards: rescues, refusals, disagreements';
COMMENT ON COLUMN rrcm.event.event_id IS 'Number of the event';
COMMENT ON COLUMN rrcm.event.at IS 'When';
COMMENT ON COLUMN rrcm.event.kind IS 'What happened, for example worker_lost, run_refused, disagreement; docs/operations.md lists them';
COMMENT ON COLUMN rrcm.event.run_id IS 'Run concerned';
COMMENT ON COLUMN rrcm.event.worker_id IS 'Worker concerned';
COMMENT ON COLUMN rrcm.event.detail IS 'One sentence';
