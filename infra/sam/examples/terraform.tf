# A REST API and an HTTP API that the authorizer of the stack "apitoken" guards, for the provider hashicorp/aws.
# Documentation only: no test runs this file.
data "aws_region" "current" {}
data "aws_partition" "current" {}
data "aws_cloudformation_export" "authorizer" { name = "apitoken-authorizer" }

variable "rest_api_id" { type = string }
variable "rest_execution_arn" { type = string }
variable "http_api_id" { type = string }
variable "http_execution_arn" { type = string }

locals {
  arn = data.aws_cloudformation_export.authorizer.value
  uri = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.name}:lambda:path/2015-03-31/functions/${local.arn}/invocations"
}

# Name it in each aws_api_gateway_method: authorization = "CUSTOM", authorizer_id = aws_api_gateway_authorizer.token.id.
resource "aws_api_gateway_authorizer" "token" {
  name                             = "token"
  rest_api_id                      = var.rest_api_id
  type                             = "REQUEST"
  authorizer_uri                   = local.uri
  identity_source                  = "method.request.header.Authorization"
  authorizer_result_ttl_in_seconds = 0 # no cache: a revoked token is refused immediately
}

# Name it in each aws_apigatewayv2_route: authorization_type = "CUSTOM", authorizer_id = aws_apigatewayv2_authorizer.token.id.
resource "aws_apigatewayv2_authorizer" "token" {
  name                              = "token"
  api_id                            = var.http_api_id
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = local.uri
  identity_sources                  = ["$request.header.Authorization"]
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = false # true with AuthorizerAnswer=simple
  authorizer_result_ttl_in_seconds  = 0
}

# Without the permission every call is a 500. For an authorizer of another account, its owner adds the permission.
resource "aws_lambda_permission" "authorizer" {
  for_each = {
    rest = "${var.rest_execution_arn}/authorizers/${aws_api_gateway_authorizer.token.id}"
    http = "${var.http_execution_arn}/authorizers/${aws_apigatewayv2_authorizer.token.id}"
  }
  action        = "lambda:InvokeFunction"
  function_name = local.arn
  principal     = "apigateway.amazonaws.com"
  source_arn    = each.value
}
