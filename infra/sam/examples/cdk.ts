// A REST API and an HTTP API that the authorizer of the stack "apitoken" guards, for AWS CDK 2.
// Documentation only: no test runs this file.
import { Duration, Fn, Stack } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import * as lambda from "aws-cdk-lib/aws-lambda";

export class Guarded extends Stack {
  // CDK adds a permission to an imported function only with sameEnvironment (aws-cdk#7588). Without the permission every call
  // is a 500. For an authorizer of another account leave sameEnvironment out: its owner adds the permission.
  private readonly authorize = lambda.Function.fromFunctionAttributes(this, "Authorize", {
    functionArn: Fn.importValue("apitoken-authorizer"),
    sameEnvironment: true,
  });

  // Guard a method with {authorizer: this.token}. Without a cache the authorizer is asked about each request.
  readonly token = new apigateway.RequestAuthorizer(this, "Token", {
    handler: this.authorize,
    identitySources: [apigateway.IdentitySource.header("Authorization")],
    resultsCacheTtl: Duration.seconds(0),
  });

  // With IAM, CDK asks in the payload format 1.0, for which the authorizer always answers policies. Take SIMPLE only with
  // AuthorizerAnswer=simple.
  readonly http = new apigatewayv2.HttpApi(this, "Http", {
    defaultAuthorizer: new HttpLambdaAuthorizer("HttpToken", this.authorize, {
      responseTypes: [HttpLambdaResponseType.IAM],
      identitySource: ["$request.header.Authorization"],
      resultsCacheTtl: Duration.seconds(0),
    }),
  });
}
