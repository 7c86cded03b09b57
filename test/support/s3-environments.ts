/** What roles are told of a SeaweedFS, in their environment, as Clowder or an operator tells them. */
import type { SeaweedFs } from '../../scripts/engines/start-seaweedfs.ts';

/** Of `ccx ingress`, which may write. */
export function s3IngressEnvironmentOf({ endpoint, bucket, admin }: SeaweedFs): Record<string, string> {
  return {
    INGRESS_STAGERIMPLEMENTATION: 's3',
    INGRESS_MINIOENDPOINT: new URL(endpoint).host,
    INGRESS_MINIOACCESSKEY: admin.accessKey,
    INGRESS_MINIOSECRETKEY: admin.secretKey,
    INGRESS_STAGEBUCKET: bucket,
  };
}

/** Of `ccx data-pipeline`, which fetches by key and may only read. */
export function s3PipelineEnvironmentOf({ endpoint, bucket, reader }: SeaweedFs): Record<string, string> {
  return {
    CCX_DATA_PIPELINE__S3__BUCKET: bucket,
    CCX_DATA_PIPELINE__S3__ENDPOINT: endpoint,
    CCX_DATA_PIPELINE__S3__ACCESS_KEY: reader.accessKey,
    CCX_DATA_PIPELINE__S3__SECRET_KEY: reader.secretKey,
  };
}
